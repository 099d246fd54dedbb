// SPDX-License-Identifier: GPL-2.0
//! How long a lease lives, and in whose hands.

use std::{
    io::{Read, Write},
    os::{
        fd::{AsFd, AsRawFd},
        unix::net::UnixStream,
    },
    time::Duration,
};

use anyhow::{bail, ensure, Context as _};
use nix::{
    fcntl::{fcntl, FcntlArg, FdFlag},
    sys::signal::{kill, Signal},
};
use pinlease::{Lease, PinOptions, Policy};

use super::common::{lease, setup};
use crate::{
    harness::{Context, TestResult},
    support::{
        page_size,
        proc::{leases, wait_for},
        process, rights, Mapped,
    },
};

/// The lease is gone: the kernel's list is empty, and the file can be cut.
fn gone(mapped: &Mapped) -> TestResult {
    let empty = || Ok(leases(mapped)?.is_empty());
    wait_for("/proc/locks has no lease", Duration::from_secs(10), empty)?;
    mapped.file().set_len(0).context("truncate after the lease")
}

/// The flag, and what execve(2) does to it.
pub fn cloexec(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    for cloexec in [true, false] {
        let builder = device
            .lease(&mapped)
            .policy(Policy::Refuse)
            .cloexec(cloexec);
        let lease = builder.acquire()?;
        let flags = FdFlag::from_bits_retain(fcntl(&lease, FcntlArg::F_GETFD)?);
        ensure!(
            flags.contains(FdFlag::FD_CLOEXEC) == cloexec,
            "cloexec {cloexec}: flags {flags:?}"
        );
        let link = format!("/proc/self/fd/{}", lease.as_fd().as_raw_fd());
        let status = std::process::Command::new("test")
            .args(["-e", &link])
            .status()?;
        ensure!(
            status.success() != cloexec,
            "cloexec {cloexec}: after execve"
        );
    }
    gone(&mapped)
}

/// A child's copy keeps the lease after the parent closed its own.
pub fn fork(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    let lease = lease(&device, &mapped)?;
    let pin = lease
        .pin(mapped.address(0), page_size(), PinOptions::default())?
        .into_id();
    let (mut ours, mut theirs) = UnixStream::pair()?;
    let inherited = &lease;
    let child = process::spawn(move || {
        theirs.read_exact(&mut [0])?;
        ensure!(
            inherited.query()?.pins == 1,
            "the child's copy lost the pin"
        );
        inherited.unpin(pin).context("UNPIN by the child")
    })?;
    drop(lease);
    ensure!(
        !leases(&mapped)?.is_empty(),
        "closing one copy ended the lease"
    );
    ours.write_all(&[0])?;
    child.join()?;
    gone(&mapped)
}

/// A lease that is sent to another process lives on there.
pub fn scm_rights(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    let (mut ours, mut theirs) = UnixStream::pair()?;
    let child = process::spawn(move || {
        let lease = Lease::from(rights::receive(&theirs)?);
        // Until then the sender has closed its own.
        theirs.read_exact(&mut [0])?;
        let query = lease.query()?;
        ensure!(query.length == 4 * page_size() as u64, "{query:?}");
        Ok(())
    })?;
    let lease = lease(&device, &mapped)?;
    rights::send(&ours, &lease)?;
    drop(lease);
    ensure!(
        !leases(&mapped)?.is_empty(),
        "sending and closing ended the lease"
    );
    ours.write_all(&[0])?;
    child.join()?;
    gone(&mapped)
}

/// A process that is killed leaves no lease and no pin.
pub fn killed(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    let (mut ours, mut theirs) = UnixStream::pair()?;
    let (device, file) = (&device, &mapped);
    let child = process::spawn(move || {
        let lease = lease(device, file)?;
        let pin = lease.pin(file.address(0), page_size(), PinOptions::default())?;
        theirs.write_all(&[0])?;
        // For ever: nobody writes.
        theirs.read_exact(&mut [0])?;
        bail!("not killed, with pin {}", pin.id())
    })?;
    ours.read_exact(&mut [0]).context("the child has a lease")?;
    ensure!(!leases(&mapped)?.is_empty(), "no lease");
    kill(child.pid(), Signal::SIGKILL)?;
    ensure!(child.join().is_err(), "the child survived");
    gone(&mapped)
}
