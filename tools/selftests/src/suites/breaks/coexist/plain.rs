// SPDX-License-Identifier: GPL-2.0
//! fcntl(2) F_SETLEASE.

use std::{
    fs::{File, OpenOptions},
    os::fd::{AsFd, AsRawFd},
    path::Path,
};

use anyhow::{ensure, Context as _, Result};
use nix::{
    errno::Errno,
    sys::signal::{signal, SigHandler, Signal},
    unistd::truncate,
};
use pinlease::{AcquireError, Device, EventKind, Lease, Policy};

use super::{hold, AGES, LIMIT, PAGES};
use crate::{
    harness::{Context, TestResult},
    support::{
        channel::readable,
        expect::{errno, one_of},
        proc::leases,
        residue, Breaking, Fill, Handler, Mapped,
    },
};

/// Takes, changes or ends a lease of the kernel's own kind.
pub fn set_lease(file: &File, kind: i32) -> nix::Result<()> {
    // SAFETY: the command takes an integer.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, kind) };
    Errno::result(result).map(drop)
}

/// Who has a lease of ours has the file open for writing, so that no plain
/// lease can be had.
pub fn after(context: &Context) -> TestResult {
    context.load_modules()?;
    let mapped = Mapped::create(&context.path("coexist"), PAGES, Fill::Faulted)?;
    let holder = hold(&mapped)?;
    let reader = File::open(mapped.path())?;
    for (what, kind) in [("read", libc::F_RDLCK), ("write", libc::F_WRLCK)] {
        let result = set_lease(&reader, kind);
        let expected = [Errno::EAGAIN, Errno::EBUSY];
        one_of(&format!("a plain {what} lease"), result, &expected)?;
    }
    let lines = leases(&mapped)?;
    ensure!(lines.len() == 1, "/proc/locks: {lines:?}");
    holder.end()?;
    residue::none_left()
}

/// A plain lease that is there first: a breaker waits for both.
pub fn before(context: &Context) -> TestResult {
    context.load_modules()?;
    // SAFETY: no handler; the signal would end the process.
    unsafe { signal(Signal::SIGIO, SigHandler::SigIgn) }?;
    let path = context.path("coexist-plain");
    let file = exclusive(&path)?;
    set_lease(&file, libc::F_WRLCK).context("F_SETLEASE")?;
    let device = Device::open()?;
    let ours = device.lease(&file).policy(Policy::Revoke).grace(AGES);
    let result = match ours.acquire() {
        Ok(lease) => both(&file, &path, lease),
        Err(error) => {
            println!("ACQUIRE beside a plain write lease: {error}");
            errno(
                "ACQUIRE beside a plain write lease",
                Err::<(), _>(AcquireError::errno(error)),
                Errno::EAGAIN,
            )
        }
    };
    std::fs::remove_file(&path)?;
    result?;
    drop(file);
    residue::none_left()
}

/// A file that is open once only, as a write lease wants it.
fn exclusive(path: &Path) -> Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    file.set_len(PAGES * super::PAGE)?;
    Ok(file)
}

fn both(file: &File, path: &Path, lease: Lease) -> TestResult {
    lease.set_nonblocking(true)?;
    let breaking = Breaking::begin(Handler::Interrupts, || truncate(path, 0))?;
    // One of them is asked first; the breaker waits for the other, too.
    let broken =
        || -> Result<bool> { Ok(std::fs::read_to_string("/proc/locks")?.contains("BREAKING")) };
    crate::support::proc::wait_for("a break of the plain lease", LIMIT, broken)?;
    set_lease(file, libc::F_UNLCK).context("F_UNLCK")?;
    ensure!(readable(lease.as_fd(), LIMIT)?, "our lease was not broken");
    let event = lease.read_event()?;
    ensure!(matches!(event.kind, EventKind::Break { .. }), "{event:?}");
    ensure!(
        !breaking.has_ended(super::SOON / 50)?,
        "the breaker did not wait for our lease"
    );
    // Closing would not do: the breaker was forked with a copy.
    lease.shrink(0, super::PAGE)?;
    ensure!(
        !breaking.has_ended(super::SOON / 50)?,
        "the breaker passed an overlapping lease"
    );
    breaking.signal(Signal::SIGUSR1)?;
    errno("interrupted", breaking.end(LIMIT)?.result(), Errno::EINTR)
}
