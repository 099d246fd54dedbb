// SPDX-License-Identifier: GPL-2.0
//! Advisory locks are nobody's business.

use std::{fs, os::fd::AsRawFd};

use anyhow::{ensure, Context as _, Result};
use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

use super::{hold, PAGES};
use crate::{
    harness::{Context, TestResult},
    support::{breakers, process, residue, Fill, Mapped},
};

/// An open file description lock on all of a file.
fn ofd_lock(file: &fs::File) -> nix::Result<()> {
    let lock = libc::flock {
        l_type: libc::F_WRLCK as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    // SAFETY: the command reads one structure, which lives during the call.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &lock) };
    Errno::result(result).map(drop)
}

/// They can be had under a lease, exclude each other as ever, and do not
/// disturb it.
pub fn locks(context: &Context) -> TestResult {
    context.load_modules()?;
    let mapped = Mapped::create(&context.path("coexist"), PAGES, Fill::Faulted)?;
    let mut holder = hold(&mapped)?;
    let first = breakers::open(mapped.path(), 0)?;
    let second = breakers::open(mapped.path(), 0)?;
    ofd_lock(&first).context("an OFD lock")?;
    ensure!(
        ofd_lock(&second) == Err(Errno::EAGAIN),
        "two exclusive OFD locks"
    );
    let flock = Flock::lock(first, FlockArg::LockExclusiveNonblock);
    let flock = flock.map_err(|(_, errno)| errno).context("flock(2)")?;
    process::spawn(|| {
        let result: Result<_, _> = Flock::lock(second, FlockArg::LockExclusiveNonblock);
        ensure!(
            matches!(result, Err((_, Errno::EWOULDBLOCK))),
            "two exclusive locks by flock(2)"
        );
        Ok(())
    })?
    .join()?;
    drop(flock);
    let events = holder.events()?;
    ensure!(events.is_empty(), "the holder read {events:?}");
    holder.end()?;
    residue::none_left()
}
