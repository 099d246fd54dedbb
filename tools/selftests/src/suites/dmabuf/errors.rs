// SPDX-License-Identifier: GPL-2.0
//! Every errno that pinlease.h documents for EXPORT, but for those of memory and
//! ENFILE.

use std::os::fd::AsFd;

use anyhow::ensure;
use nix::{
    errno::Errno,
    sys::resource::{getrlimit, setrlimit, Resource},
};
use pinlease::{issue, uapi, ExportError, ExportOptions, PinOptions, Policy};

use super::common::{file, hold, AGES, PAGE, PAGES};
use crate::{
    harness::{Context, TestResult},
    suites::uapi::check_sizes,
    support::{buffer::listed, expect::errno, extended::with_size, proc::wait_for, Engine, Import},
};

fn request(id: u64) -> uapi::pinlease_export {
    with_size(uapi::pinlease_export {
        open_flags: libc::O_RDWR as u32,
        id,
        ..Default::default()
    })
}

/// The size of the structure.
pub fn sizes(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let (lease, pin, _buffer) = hold(&mapped, Policy::Refuse, AGES)?;
    check_sizes(&lease, request(pin))
}

/// Flags, ranges, and pins that are not there.
pub fn arguments(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let (lease, pin, buffer) = hold(&mapped, Policy::Refuse, AGES)?;
    let refused = |what: &str, wrong: uapi::pinlease_export, expected| {
        let mut wrong = wrong;
        errno(what, issue(lease.as_fd(), &mut wrong), expected)
    };
    let known = libc::O_RDWR | libc::O_CLOEXEC;
    for bit in 0..32 {
        let flags = 1u32 << bit;
        if flags & (known as u32) != 0 {
            continue;
        }
        let mut wrong = request(pin);
        wrong.open_flags |= flags;
        refused(&format!("flag {flags:#o}"), wrong, Errno::EINVAL)?;
    }
    let mut write_only = request(pin);
    write_only.open_flags = libc::O_WRONLY as u32;
    refused("O_WRONLY", write_only, Errno::EINVAL)?;

    let (page, end) = (PAGE as u64, PAGES * PAGE as u64);
    for (offset, length, expected) in [
        (1, page, Errno::EINVAL),
        (0, page + 1, Errno::EINVAL),
        (u64::MAX - page + 1, page, Errno::EINVAL),
        (end, 0, Errno::ENXIO),
        (end, page, Errno::ENXIO),
        (0, end + page, Errno::ENXIO),
        (end - page, 2 * page, Errno::ENXIO),
        (1 << 62, 1 << 62, Errno::ENXIO),
    ] {
        let mut wrong = request(pin);
        (wrong.offset, wrong.length) = (offset, length);
        refused(&format!("{length} bytes from {offset}"), wrong, expected)?;
    }
    refused("a pin that never was", request(pin + 999), Errno::ENOENT)?;
    drop(buffer);
    lease.unpin(pin)?;
    refused("a pin that was", request(pin), Errno::ENOENT)?;
    errno(
        "EXPORT on a file",
        issue(mapped.as_fd(), &mut request(pin)),
        Errno::ENOTTY,
    )?;
    let engine = Engine::open()?;
    let import = |fd: std::os::fd::BorrowedFd<'_>| engine.import(fd, Import::Revocable);
    errno(
        "a lease is no dma-buf",
        import(lease.as_fd()),
        Errno::EINVAL,
    )?;
    drop(lease);
    withdrawn(&mapped)
}

/// Under a lease that is withdrawn nothing is exported, and what was exported
/// cannot be imported.
fn withdrawn(mapped: &crate::support::Mapped) -> TestResult {
    let grace = std::time::Duration::from_millis(1);
    let (lease, pin, buffer) = hold(mapped, Policy::Revoke, grace)?;
    let path = mapped.path().to_owned();
    crate::support::process::spawn(move || Ok(nix::unistd::truncate(&path, 0)?))?.join()?;
    let export = lease.export(pin, ExportOptions::default());
    errno("EXPORT", export.map_err(ExportError::errno), Errno::ENODEV)?;
    let engine = Engine::open()?;
    let import = engine.import(&buffer, Import::Revocable);
    errno("importing what was revoked", import, Errno::ENODEV)
}

/// No descriptor: nothing is exported, and nothing is left of it.
pub fn files(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let device = pinlease::Device::open()?;
    let lease = device.lease(&mapped).policy(Policy::Refuse).acquire()?;
    let pin = lease.pin(mapped.address(0), PAGE, PinOptions::default())?;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, 3, hard)?;
    let export = pin.export(ExportOptions::default());
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?;
    errno("EXPORT", export.map_err(ExportError::errno), Errno::EMFILE)?;
    wait_for("no dma-buf is left", super::common::LIMIT, || {
        Ok(listed()?.is_empty())
    })?;
    ensure!(lease.query()?.exports == 0, "one is counted");
    Ok(pin.release()?)
}
