// SPDX-License-Identifier: GPL-2.0

//! The guest's program: its first process, after `init.sh` has made the file tree.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{ensure, Context, Result};
use nix::sys::reboot::{reboot, RebootMode};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use pinlease_vm::mounts;
use pinlease_vm::plan::{Plan, FILES, PLAN};
use pinlease_vm::wire::{Frame, CONSOLE_END, CONSOLE_START, MAX_PAYLOAD, PORT};

/// Where the virtual terminal of `--shell` is.
const TERMINAL: &str = "/dev/hvc0";

/// The wire to the host, shared by those who have something to say.
#[derive(Clone)]
struct Wire(Arc<Mutex<File>>);

impl Wire {
    fn open() -> Result<Self> {
        for entry in fs::read_dir("/sys/class/virtio-ports")? {
            let entry = entry?;
            if fs::read_to_string(entry.path().join("name")).is_ok_and(|name| name.trim() == PORT) {
                let path = Path::new("/dev").join(entry.file_name());
                let file = OpenOptions::new().read(true).write(true).open(path)?;
                return Ok(Self(Arc::new(Mutex::new(file))));
            }
        }
        anyhow::bail!("there is no port to the host")
    }

    fn send(&self, frame: &Frame) -> io::Result<()> {
        let mut port = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        frame.write_to(&mut *port)
    }
}

fn main() {
    let result = run();
    if let Err(error) = result {
        // Nobody else will ever say it.
        kernel_log(&format!("pinlease-vm: {error:#}"));
    }
    // The host ends us when it has read everything.
    let _ = reboot(RebootMode::RB_AUTOBOOT);
}

fn run() -> Result<()> {
    mounts::mount_system()?;
    let wire = Wire::open()?;
    if let Err(error) = serve(&wire) {
        wire.send(&Frame::Note(format!("{error:#}")))?;
    }
    nix::unistd::sync();
    if let Err(error) = mounts::detach_all() {
        wire.send(&Frame::Note(format!("{error:#}")))?;
    }
    kernel_log(CONSOLE_END);
    wire.send(&Frame::Done)?;
    // Without a word from the host this waits until the machine is switched off.
    let mut port = wire.0.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = port.read(&mut [0]);
    Ok(())
}

fn serve(wire: &Wire) -> Result<()> {
    let plan: Plan = serde_json::from_slice(&fs::read(PLAN)?)?;
    let mut command = prepare(&plan)?;
    // From here on the console gets all that the kernel says.
    fs::write("/proc/sys/kernel/printk", "8 4 1 8")?;
    kernel_log(CONSOLE_START);
    wire.send(&Frame::Started)?;
    let status = if plan.terminal.is_some() {
        on_terminal(&mut command)
    } else {
        on_wire(&mut command, wire)
    };
    let status = match status {
        Ok(status) => shell_status(status),
        Err(error) => {
            wire.send(&Frame::Note(format!("{}: {error}", plan.argv[0])))?;
            if error.kind() == ErrorKind::NotFound {
                127
            } else {
                126
            }
        }
    };
    wire.send(&Frame::Exited(status))?;
    Ok(())
}

/// Sets the system up as the plan wants it and makes the command.
fn prepare(plan: &Plan) -> Result<Command> {
    call("ip", &["link", "set", "lo", "up"])?;
    if plan.module_share {
        mounts::mount_modules()?;
    }
    for module in &plan.modules {
        call("modprobe", &[module])?;
    }
    let (program, arguments) = plan.argv.split_first().context("there is no command")?;
    let mut command = if plan.terminal.is_some() {
        Command::new("setsid")
    } else {
        Command::new(program)
    };
    if plan.terminal.is_some() {
        command.args(["--ctty", "--wait", program]);
    }
    command.args(arguments).current_dir(FILES).env_clear();
    command.env(
        "PATH",
        format!("{FILES}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    );
    command.envs([
        ("HOME", "/root"),
        ("LANG", "C.UTF-8"),
        ("TERM", plan.terminal.as_deref().unwrap_or("dumb")),
    ]);
    for disk in &plan.disks {
        let device: PathBuf = mounts::attach(disk)?;
        command.env(format!("PINLEASE_DISK_{}", disk.variable_suffix()), device);
        if disk.filesystem.is_some() {
            command.env(
                format!("PINLEASE_MOUNT_{}", disk.variable_suffix()),
                disk.mount_point(),
            );
        }
    }
    command.envs(plan.environment.iter().map(|(name, value)| (name, value)));
    Ok(command)
}

fn on_terminal(command: &mut Command) -> io::Result<ExitStatus> {
    let terminal = OpenOptions::new().read(true).write(true).open(TERMINAL)?;
    command
        .stdin(terminal.try_clone()?)
        .stdout(terminal.try_clone()?)
        .stderr(terminal)
        .status()
}

fn on_wire(command: &mut Command, wire: &Wire) -> io::Result<ExitStatus> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let copiers = [
        child
            .stdout
            .take()
            .map(|pipe| copy(pipe, wire.clone(), Frame::Stdout)),
        child
            .stderr
            .take()
            .map(|pipe| copy(pipe, wire.clone(), Frame::Stderr)),
    ];
    let status = child.wait()?;
    // Whoever the command left behind would keep its pipes open, and its files.
    let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
    for copier in copiers.into_iter().flatten() {
        let _ = copier.join();
    }
    Ok(status)
}

fn copy(
    mut pipe: impl Read + Send + 'static,
    wire: Wire,
    frame: fn(Vec<u8>) -> Frame,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut buffer = vec![0; MAX_PAYLOAD];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            if wire.send(&frame(buffer[..count].to_vec())).is_err() {
                break;
            }
        }
    })
}

fn shell_status(status: ExitStatus) -> u8 {
    let number = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    u8::try_from(number).unwrap_or(u8::MAX)
}

fn call(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("running {program}"))?;
    ensure!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

fn kernel_log(text: &str) {
    let log = OpenOptions::new().write(true).open("/dev/kmsg");
    let _ = log.and_then(|mut log| log.write_all(format!("<4>{text}\n").as_bytes()));
}
