// SPDX-License-Identifier: GPL-2.0

//! One boot of a machine: starts QEMU, relays the guest's frames, and says how it ended.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;

use crate::qemu::Machine;
use crate::wire::{Frame, CONSOLE_END};

/// How often to look whether QEMU is still there.
const TICK: Duration = Duration::from_millis(100);

/// How long the last lines of the console may take.
const CONSOLE_PATIENCE: Duration = Duration::from_secs(5);

/// How long QEMU may take to end when asked.
const QEMU_PATIENCE: Duration = Duration::from_secs(3);

/// How long QEMU may take to stand still: its threads may be in the middle of a write to a busy disk.
const STOP_PATIENCE: Duration = Duration::from_secs(60);

/// Set when we were asked to end, which we do in order: QEMU and its disks must not stay behind.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// How a boot ended.
#[derive(Debug, Default)]
pub struct Outcome {
    /// From QEMU's start to the command's.
    pub boot: Option<Duration>,
    /// The command's status.
    pub status: Option<u8>,
    /// Whether the guest got to the end of its shutdown.
    pub done: bool,
    /// Whether the time was over.
    pub timed_out: bool,
    /// Whether the power was cut.
    pub power_cut: bool,
    /// All of the kernel's console.
    pub console: String,
    /// What QEMU itself complained about.
    pub qemu: String,
}

/// Boots the machine and waits for its end, with files in `directory`.
///
/// # Errors
///
/// When QEMU cannot be started or our own output cannot be written.
pub fn boot(
    machine: &Machine<'_>,
    directory: &Path,
    deadline: Option<Instant>,
    output: &mut dyn Output,
) -> Result<Outcome> {
    let console = directory.join("console");
    let socket = directory.join("wire");
    let complaints = directory.join("qemu");
    let _ = fs::remove_file(&socket);
    for log in machine.disks.iter().filter_map(|disk| disk.log.as_ref()) {
        // QEMU would leave behind its own log what a boot before this one logged.
        File::create(log).with_context(|| format!("making the log {}", log.display()))?;
    }
    let listener = UnixListener::bind(&socket)
        .with_context(|| format!("listening at {}", socket.display()))?;
    let start = Instant::now();
    let mut qemu = machine
        .command(&console, &socket)
        .stdin(if machine.terminal {
            Stdio::inherit()
        } else {
            Stdio::null()
        })
        .stdout(if machine.terminal {
            Stdio::inherit()
        } else {
            Stdio::null()
        })
        .stderr(File::create(&complaints)?)
        .spawn()
        .context("starting QEMU")?;
    let frames = receive(listener);

    let mut outcome = Outcome::default();
    let times = Times {
        start,
        deadline,
        power_cut: machine.power_cut,
    };
    let result = relay(&frames, &mut qemu, &times, &mut outcome, output);
    if outcome.power_cut {
        cut_power(&mut qemu)?;
    } else {
        if outcome.done {
            await_console(&console);
        }
        stop(&mut qemu)?;
    }
    outcome.console = String::from_utf8_lossy(&fs::read(&console).unwrap_or_default()).into_owned();
    outcome.qemu = fs::read_to_string(&complaints).unwrap_or_default();
    result.map(|()| outcome)
}

/// Ends QEMU, which has nothing left to write: the guest unmounted its disks, or is beyond help. Politely first, so that
/// it restores the terminal.
fn stop(qemu: &mut Child) -> Result<()> {
    let patience = Instant::now() + QEMU_PATIENCE;
    let _ = kill(Pid::from_raw(i32::try_from(qemu.id())?), Signal::SIGTERM);
    while qemu.try_wait()?.is_none() {
        if Instant::now() >= patience {
            qemu.kill()?;
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Kills QEMU as it is. It is stopped before, so that no write of the host's that has begun is cut in two: a disk's log
/// would end in half a request that says it is whole.
fn cut_power(qemu: &mut Child) -> Result<()> {
    let pid = Pid::from_raw(i32::try_from(qemu.id())?);
    kill(pid, Signal::SIGSTOP).context("stopping QEMU")?;
    let patience = Instant::now() + STOP_PATIENCE;
    while !all_threads_stopped(qemu.id())? {
        ensure!(Instant::now() < patience, "QEMU does not stop");
        thread::sleep(Duration::from_millis(1));
    }
    qemu.kill()?;
    qemu.wait()?;
    Ok(())
}

fn all_threads_stopped(pid: u32) -> Result<bool> {
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread that ended meanwhile writes nothing either.
        let stat = fs::read_to_string(thread?.path().join("stat")).unwrap_or_default();
        // The state comes after the name in parentheses, which may hold anything.
        let state = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.chars().next());
        if !matches!(state, None | Some('T' | 't' | 'Z' | 'X')) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Where the command's output goes.
pub trait Output {
    /// Takes bytes of the standard output.
    ///
    /// # Errors
    ///
    /// When they cannot be written.
    fn stdout(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Takes bytes of the standard error.
    ///
    /// # Errors
    ///
    /// When they cannot be written.
    fn stderr(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// Our own standard output and error.
#[derive(Debug)]
pub struct Standard;

impl Output for Standard {
    fn stdout(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout();
        stdout.write_all(bytes)?;
        stdout.flush()
    }

    fn stderr(&mut self, bytes: &[u8]) -> io::Result<()> {
        io::stderr().write_all(bytes)
    }
}

/// Reads frames until the guest is gone. The thread may wait for a QEMU that never connects; it ends with the process.
fn receive(listener: UnixListener) -> Receiver<Frame> {
    let (sender, receiver) = mpsc::sync_channel(64);
    thread::spawn(move || -> io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        while let Some(frame) = Frame::read_from(&mut stream)? {
            if sender.send(frame).is_err() {
                break;
            }
        }
        Ok(())
    });
    receiver
}

/// When something happens by itself.
struct Times {
    start: Instant,
    deadline: Option<Instant>,
    power_cut: Option<Duration>,
}

fn relay(
    frames: &Receiver<Frame>,
    qemu: &mut Child,
    times: &Times,
    outcome: &mut Outcome,
    output: &mut dyn Output,
) -> Result<()> {
    let mut gone = false;
    let mut cut: Option<Instant> = None;
    loop {
        ensure!(!INTERRUPTED.load(Ordering::Relaxed), "interrupted");
        let now = Instant::now();
        if times.deadline.is_some_and(|deadline| now >= deadline) {
            outcome.timed_out = true;
            return Ok(());
        }
        if cut.is_some_and(|cut| now >= cut) {
            outcome.power_cut = true;
            return Ok(());
        }
        let patience = cut.map_or(TICK, |cut| TICK.min(cut - now));
        match frames.recv_timeout(patience) {
            Ok(Frame::Started) => outcome.boot = Some(times.start.elapsed()),
            Ok(Frame::Stdout(bytes)) => {
                let first = || times.power_cut.map(|delay| Instant::now() + delay);
                cut = cut.or_else(first);
                output.stdout(&bytes)?;
            }
            Ok(Frame::Stderr(bytes)) => output.stderr(&bytes)?,
            Ok(Frame::Note(text)) => eprintln!("vm: guest: {text}"),
            Ok(Frame::Exited(status)) => outcome.status = Some(status),
            Ok(Frame::Done) => {
                outcome.done = true;
                return Ok(());
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            // One more turn after QEMU's end, for what is still in the socket.
            Err(RecvTimeoutError::Timeout) if gone => return Ok(()),
            Err(RecvTimeoutError::Timeout) => gone = qemu.try_wait()?.is_some(),
        }
    }
}

/// The kernel writes its log from threads of its own; the guest's last word there says that all is out.
fn await_console(console: &Path) {
    let patience = Instant::now() + CONSOLE_PATIENCE;
    while Instant::now() < patience {
        if fs::read(console)
            .is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(CONSOLE_END))
        {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
}
