// SPDX-License-Identifier: GPL-2.0
//! perftest over soft RoCE on the loopback interface: client and server have a
//! buffer each, the local half first, then the half for the other side.
//!
//! The one whose memory is written has the file's; the other one has a file on
//! tmpfs, which the kernel gives to everybody, and which a test can change under
//! it.

use std::{
    fs::{self, File, OpenOptions},
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{ensure, Context as _, Result};

use super::{Equipment, Layout};
use crate::{
    harness::{Context, Skip},
    support::{
        command::{output, output_of},
        page_size,
        proc::wait_for,
        stamp, Program,
    },
};

/// Pages in one message.
const MESSAGE: u64 = 8;

/// How long a server may take to listen, and a short run to end.
const SOON: Duration = Duration::from_secs(40);

/// The RDMA device.
const DEVICE: &str = "pinlease_rxe";

/// Who has the file's memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Role {
    Server,
    Client,
}

/// One program of perftest.
#[derive(Debug)]
struct Perftest {
    program: &'static str,
    /// Who has the file's memory.
    role: Role,
    port: u16,
    source: Source,
    peer: Option<Program>,
}

/// A peer writes.
pub fn write(_: &Context) -> Result<Box<dyn Equipment>> {
    perftest("ib_write_bw", Role::Server)
}

/// The program reads.
pub fn read(_: &Context) -> Result<Box<dyn Equipment>> {
    perftest("ib_read_bw", Role::Client)
}

/// A peer sends.
pub fn send(_: &Context) -> Result<Box<dyn Equipment>> {
    perftest("ib_send_bw", Role::Server)
}

fn perftest(program: &'static str, role: Role) -> Result<Box<dyn Equipment>> {
    // Always tells its version with status 1.
    output_of(program, &["--version"], &[0, 1])?;
    make_device()?;
    Ok(Box::new(Perftest {
        program,
        role,
        // One of an earlier run may not be free yet.
        port: fastrand::u16(20000..30000),
        source: Source::create()?,
        peer: None,
    }))
}

/// Soft RoCE on the loopback interface; it stays for the next test.
fn make_device() -> Result<()> {
    for module in ["rdma_rxe", "ib_uverbs"] {
        output("modprobe", &[module]).map_err(|error| Skip(format!("{error:#}")))?;
    }
    if !Path::new("/sys/class/infiniband").join(DEVICE).exists() {
        let arguments = ["link", "add", DEVICE, "type", "rxe", "netdev", "lo"];
        output("rdma", &arguments)?;
    }
    Ok(())
}

impl Perftest {
    /// Client or server, with anonymous memory unless told otherwise.
    fn new_command(&self, role: Role) -> Command {
        let mut command = Command::new(self.program);
        command
            .args(["--ib-dev", DEVICE, "--CPU-freq", "--tx-depth=2"])
            .arg(format!("--size={}", MESSAGE * page_size() as u64))
            .arg(format!("--port={}", self.port));
        if role == Role::Client {
            command.arg("127.0.0.1");
        }
        command
    }

    fn endless(&self, role: Role, memory: &Path) -> Command {
        let mut command = self.new_command(role);
        command.arg("--duration=3600").arg("--mmap").arg(memory);
        command
    }

    /// Where a half of a buffer is.
    fn half(role: Role) -> Range<u64> {
        match role {
            Role::Client => 0..MESSAGE,
            Role::Server => MESSAGE..2 * MESSAGE,
        }
    }

    fn await_server(&self, server: &mut Program) -> Result<()> {
        let listening = || Ok(server.has_ended()? || is_listening(self.port)?);
        wait_for("the server listens", SOON, listening).map(drop)
    }
}

impl Equipment for Perftest {
    fn layout(&self) -> Layout {
        Layout::whole(2 * MESSAGE, Self::half(self.role))
    }

    fn command(&self, memory: &Path) -> Command {
        self.endless(self.role, memory)
    }

    fn before(&mut self) -> Result<()> {
        if self.role == Role::Client {
            let mut server = Program::start(&mut self.endless(Role::Server, &self.source.path))?;
            self.await_server(&mut server)?;
            self.peer = Some(server);
        }
        Ok(())
    }

    fn started(&mut self, program: &mut Program) -> Result<()> {
        if self.role == Role::Server {
            self.await_server(program)?;
            let client = Program::start(&mut self.endless(Role::Client, &self.source.path))?;
            self.peer = Some(client);
        }
        Ok(())
    }

    fn publish(&mut self, _: &mut Program, generation: u64) -> Result<()> {
        // Again and again: at its start perftest fills its memory at random.
        let target = Self::half(self.role);
        let source = match self.role {
            Role::Server => Self::half(Role::Client),
            Role::Client => Self::half(Role::Server),
        };
        for (page, number) in source.zip(target) {
            self.source.write(page, number, generation)?;
        }
        Ok(())
    }

    fn with_anonymous_memory(&mut self) -> Result<()> {
        let short = |role| {
            let mut command = self.new_command(role);
            command.arg("--iters=5");
            command
        };
        let mut server = Program::start(&mut short(Role::Server))?;
        self.await_server(&mut server)?;
        let client = Program::start(&mut short(Role::Client))?;
        for (name, program) in [("client", client), ("server", server)] {
            let (status, text) = program.everything(SOON)?;
            ensure!(status.success(), "{name}: {status}: {text}");
        }
        Ok(())
    }
}

/// Whether somebody listens at a TCP port.
fn is_listening(port: u16) -> Result<bool> {
    let listening = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let local = words.next().unwrap_or_default();
        local.ends_with(&format!(":{port:04X}")) && words.nth(1) == Some("0A")
    };
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        if fs::read_to_string(table)?.lines().any(listening) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A file on tmpfs, as the memory of the side that only gives.
#[derive(Debug)]
struct Source {
    path: PathBuf,
    file: File,
}

impl Source {
    fn create() -> Result<Self> {
        let path = PathBuf::from(format!("/dev/shm/source-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).open(&path);
        let source = Self {
            file: file.with_context(|| path.display().to_string())?,
            path,
        };
        source.file.set_len(2 * MESSAGE * page_size() as u64)?;
        Ok(source)
    }

    fn write(&self, page: u64, number: u64, generation: u64) -> Result<()> {
        let mut bytes = vec![0; page_size()];
        stamp(&mut bytes, number, generation);
        let offset = page * page_size() as u64;
        self.file.write_all_at(&bytes, offset).context("tmpfs")
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
