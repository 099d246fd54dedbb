// SPDX-License-Identifier: GPL-2.0
//! Child processes of a test, and other users.

use std::{io::Write, process::exit};

use anyhow::{bail, Context, Result};
use nix::{
    sys::wait::{waitpid, WaitStatus},
    unistd::{fork, setgroups, setresgid, setresuid, ForkResult, Gid, Pid, Uid},
};

/// The user `nobody`.
pub const NOBODY: u32 = 65534;

/// A forked process; dropping it leaves it alone.
#[derive(Debug)]
#[must_use = "nobody learns how it ended"]
pub struct Forked(Pid);

/// Forks a process that runs `run` and exits.
///
/// # Errors
///
/// fork(2)'s errno.
pub fn spawn(run: impl FnOnce() -> Result<()>) -> Result<Forked> {
    // Otherwise both processes would print what is buffered.
    std::io::stdout().flush()?;
    // SAFETY: tests have one thread, so that the child finds no lock held by
    // a thread that it does not have.
    match unsafe { fork() }.context("fork")? {
        ForkResult::Parent { child } => Ok(Forked(child)),
        ForkResult::Child => {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
            exit(match result {
                Ok(Ok(())) => 0,
                Ok(Err(error)) => {
                    println!("in the child: {error:#}");
                    1
                }
                Err(_) => 101,
            })
        }
    }
}

impl Forked {
    /// Waits for it.
    ///
    /// # Errors
    ///
    /// It failed.
    pub fn join(self) -> Result<()> {
        match waitpid(self.0, None).context("waitpid")? {
            WaitStatus::Exited(_, 0) => Ok(()),
            other => bail!("the child failed: {other:?}"),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        self.0
    }
}

/// Runs `run` in a child, as user `nobody` without capabilities.
///
/// # Errors
///
/// It failed.
pub fn as_nobody(run: impl FnOnce() -> Result<()>) -> Result<()> {
    spawn(|| {
        let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        setgroups(&[]).context("setgroups")?;
        setresgid(group, group, group).context("setresgid")?;
        setresuid(user, user, user).context("setresuid")?;
        run()
    })?
    .join()
}
