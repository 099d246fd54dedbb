// SPDX-License-Identifier: GPL-2.0
//! The judging guest, from the host: it stays up from one state to the next, while its disk is changed under it.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::{bail, Context, Result};
use demo::parts::GuestParts;
use nix::{
    sys::signal::{kill, Signal},
    unistd::Pid,
};
use selftests::support::Filesystem;

use super::options::Options;
use crate::{
    geometry::{disk_size, number_at},
    image::Image,
    mailbox::{Letter, Sender},
    observation::{Observation, Order},
};

/// How long a state may take, and the boot before the first one.
const PATIENCE: Duration = Duration::from_secs(400);

/// A guest that judges.
#[derive(Debug)]
pub struct Judge {
    child: Child,
    lines: Receiver<String>,
    mailbox: Sender,
    state: File,
    filesystem: Filesystem,
}

impl Judge {
    /// Boots one, with its disks in `folder`.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub fn new(options: &Options, filesystem: Filesystem, folder: &Path) -> Result<Self> {
        let path = |name: &str| -> PathBuf { folder.join(name) };
        let state = File::create(path("state.img")).context("making the disk for states")?;
        state.set_len(disk_size(filesystem))?;
        let mailbox = Sender::new(&path("mailbox.img"))?;
        let GuestParts {
            vm,
            programs,
            vm_arguments,
            ..
        } = &options.parts;
        // Always the stock kernel: it is the disk that is judged.
        let mut child = Command::new(vm)
            .args(["--timeout", "0", "--memory", "768M", "--allow-findings"])
            .arg("--disk-image")
            .arg(path("state.img"))
            .arg("--disk-image")
            .arg(path("mailbox.img"))
            .arg("--console")
            .arg(path("judge.console"))
            .arg("--file")
            .arg(programs.join("crash-guest"))
            .args(vm_arguments)
            .args(["--", "/pinlease/crash-guest", "look"])
            .args(["--state", "/dev/disk/pinlease/raw0"])
            .args(["--mailbox", "/dev/disk/pinlease/raw1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", vm.display()))?;
        let output = child.stdout.take().context("no standard output")?;
        Ok(Self {
            child,
            lines: lines(output),
            mailbox,
            state,
            filesystem,
        })
    }

    /// Puts a state on the disk and has the guest look at it.
    ///
    /// # Errors
    ///
    /// The guest dies or does not answer; it is of no use any more then.
    pub fn look(&mut self, state: &Image, order: Order) -> Result<Observation> {
        let number = order.number;
        let mut state = state.clone();
        state.write(number_at(self.filesystem), &number.to_le_bytes());
        state
            .write_to(&self.state, disk_size(self.filesystem))
            .context("writing a state")?;
        self.mailbox.send(&Letter::Look(order))?;
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                let seen: Observation = serde_json::from_str(&line)
                    .with_context(|| format!("the judging guest said {line}"))?;
                if seen.number != number {
                    bail!("it looked at state {} instead of {number}", seen.number);
                }
                Ok(seen)
            }
            Err(RecvTimeoutError::Timeout) => bail!("no answer within {PATIENCE:?}"),
            Err(RecvTimeoutError::Disconnected) => bail!("the judging guest died"),
        }
    }

    /// Ends it.
    ///
    /// # Errors
    ///
    /// It fails in the end.
    pub fn end(mut self) -> Result<()> {
        self.mailbox.send(&Letter::End)?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the judging guest ended with {status}");
        }
        Ok(())
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            if let Ok(pid) = i32::try_from(self.child.id()) {
                // It ends QEMU before itself.
                let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            }
            let _ = self.child.wait();
        }
    }
}

fn lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
