// SPDX-License-Identifier: GPL-2.0
//! Child processes of a test, and other users.

use std::{
    fs,
    io::Write,
    process::exit,
    thread,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure, Context, Result};
use nix::{
    sys::{
        prctl,
        signal::{kill, Signal},
        wait::{waitpid, WaitPidFlag, WaitStatus},
    },
    unistd::{fork, setgroups, setresgid, setresuid, ForkResult, Gid, Pid, Uid},
};

use super::slowness;

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
            die_with_parent();
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

    /// Waits until it is gone, however it ends.
    ///
    /// # Errors
    ///
    /// It is not within `limit` (more where everything is slow); tells where it
    /// is.
    pub fn wait(self, limit: Duration) -> Result<WaitStatus> {
        let limit = slowness::allow(limit);
        let begin = Instant::now();
        loop {
            let status = waitpid(self.0, Some(WaitPidFlag::WNOHANG)).context("waitpid")?;
            if status != WaitStatus::StillAlive {
                return Ok(status);
            }
            if begin.elapsed() > limit {
                bail!(
                    "{} is not gone within {limit:?}: {}",
                    self.0,
                    whereabouts(self.0)
                );
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until it is killed.
    ///
    /// # Errors
    ///
    /// It is not gone within `limit`, as by [`wait`](Self::wait), or has ended
    /// otherwise.
    pub fn wait_killed(self, limit: Duration) -> Result<()> {
        let status = self.wait(limit)?;
        ensure!(is_killed(status), "not killed: {status:?}");
        Ok(())
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    ///
    /// waitpid(2)'s.
    pub fn ended(&self) -> Result<Option<WaitStatus>> {
        let status = waitpid(self.0, Some(WaitPidFlag::WNOHANG)).context("waitpid")?;
        Ok((status != WaitStatus::StillAlive).then_some(status))
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        self.0
    }
}

/// Whether SIGKILL ended a process.
pub fn is_killed(status: WaitStatus) -> bool {
    matches!(status, WaitStatus::Signaled(_, Signal::SIGKILL, _))
}

/// A process that somebody answers for: dropping it kills it, and waits until it
/// is gone.
#[derive(Debug)]
pub struct Tied {
    pid: Pid,
    waited: bool,
}

/// What was killed and is not gone after this time hangs in the kernel.
const BURIAL: Duration = Duration::from_secs(60);

impl Tied {
    /// As [`spawn`].
    ///
    /// # Errors
    ///
    /// fork(2)'s errno.
    pub fn spawn(run: impl FnOnce() -> Result<()>) -> Result<Self> {
        let Forked(pid) = spawn(run)?;
        let waited = false;
        Ok(Self { pid, waited })
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// As [`Forked::ended`].
    ///
    /// # Errors
    ///
    /// waitpid(2)'s.
    pub fn ended(&self) -> Result<Option<WaitStatus>> {
        Forked(self.pid).ended()
    }

    /// As [`Forked::join`].
    ///
    /// # Errors
    ///
    /// It failed.
    pub fn join(mut self) -> Result<()> {
        self.waited = true;
        Forked(self.pid).join()
    }

    /// As [`Forked::wait`].
    ///
    /// # Errors
    ///
    /// It is not gone within `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<WaitStatus> {
        let status = Forked(self.pid).wait(limit)?;
        self.waited = true;
        Ok(status)
    }
}

impl Drop for Tied {
    fn drop(&mut self) {
        if self.waited {
            return;
        }
        // It may be gone already.
        let _ = kill(self.pid, Signal::SIGKILL);
        if let Err(error) = Forked(self.pid).wait(BURIAL) {
            println!("{error:#}");
        }
    }
}

/// A test that fails leaves no process behind.  The kernel forgets it when the
/// process becomes another user.
fn die_with_parent() {
    // Cannot fail with a signal that exists.
    let _ = prctl::set_pdeathsig(Signal::SIGKILL);
}

/// Where in the kernel a process is.
pub fn whereabouts(pid: Pid) -> String {
    let read = |name| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let status = read("status");
    let state = status.lines().find(|line| line.starts_with("State:"));
    format!("{}, in {}", state.unwrap_or("gone"), read("stack").trim())
}

/// Makes this process user `nobody`, without capabilities.
///
/// # Errors
///
/// It is not root.
pub fn become_nobody() -> Result<()> {
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    setgroups(&[]).context("setgroups")?;
    setresgid(group, group, group).context("setresgid")?;
    setresuid(user, user, user).context("setresuid")?;
    die_with_parent();
    Ok(())
}

/// Runs `run` in a child, as user `nobody` without capabilities.
///
/// # Errors
///
/// It failed.
pub fn as_nobody(run: impl FnOnce() -> Result<()>) -> Result<()> {
    spawn(|| {
        become_nobody()?;
        run()
    })?
    .join()
}
