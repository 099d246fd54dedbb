// SPDX-License-Identifier: GPL-2.0
//! What EXPORT makes.

use std::{fs, os::fd::AsFd, os::fd::AsRawFd};

use anyhow::{ensure, Context as _};
use nix::errno::Errno;
use pinlease::{Device, ExportOptions, PinOptions, Policy, UnpinError};

use super::common::{file, hold, AGES, PAGE};
use crate::{
    harness::{Context, TestResult},
    support::{
        buffer::{listed, size},
        expect::errno,
        residue::all_leases,
    },
};

/// A dma-buf has its size and its names, is counted, and keeps the pin.
pub fn happy(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let (lease, pin, buffer) = hold(&mapped, Policy::Refuse, AGES)?;
    let bytes = size(&buffer)?;
    ensure!(bytes == mapped.length() as i64, "{bytes} bytes");
    let info = format!("/proc/self/fdinfo/{}", buffer.as_fd().as_raw_fd());
    let info = fs::read_to_string(info)?;
    for line in ["exp_name:\tpinlease", "name:\tdmabuf"] {
        ensure!(info.lines().any(|has| has == line), "no {line:?}: {info}");
    }
    let lines = listed()?;
    ensure!(
        lines.len() == 1 && lines[0].ends_with("\tdmabuf"),
        "bufinfo: {lines:?}"
    );
    let second = lease.export(pin, ExportOptions::default())?;
    let count = lease.query()?.exports;
    ensure!(count == 2, "two dma-bufs, told {count}");
    let told = all_leases()?.first().context("no lease is listed")?.exports;
    ensure!(told == 2, "two dma-bufs, listed {told}");

    let unpin = || lease.unpin(pin).map_err(UnpinError::errno);
    drop(second);
    errno("unpin with a dma-buf", unpin(), Errno::EBUSY)?;
    ensure!(lease.query()?.pins == 1, "the pin is gone");
    drop(buffer);
    let count = lease.query()?.exports;
    ensure!(count == 0, "no dma-buf, told {count}");
    Ok(unpin()?)
}

/// A part of a pin of a part of a file: the right pages, and no others.
pub fn parts(context: &Context) -> TestResult {
    use crate::support::{Engine, Import, Stamp};
    let mapped = file(context)?;
    let device = Device::open()?;
    let lease = device.lease(&mapped).policy(Policy::Refuse).acquire()?;
    let pin = lease.pin(mapped.address(2), 8 * PAGE, PinOptions::default())?;
    // Pages 5 and 6 of the file.
    let options = ExportOptions {
        offset: 3 * PAGE as u64,
        length: 2 * PAGE as u64,
        ..Default::default()
    };
    let part = pin.export(options)?;
    let bytes = size(&part)?;
    ensure!(bytes == 2 * PAGE as i64, "{bytes} bytes");
    let rest = pin.export(ExportOptions {
        offset: 7 * PAGE as u64,
        ..Default::default()
    })?;
    let bytes = size(&rest)?;
    ensure!(bytes == PAGE as i64, "{bytes} bytes to the end");
    let engine = Engine::open()?;
    engine.import(&part, Import::Revocable)?;
    engine.write_all(7)?;
    for page in 0..mapped.pages() {
        // The device counts from its own first page.
        let (number, generation) = match page {
            5 | 6 => (page - 5, 7),
            _ => (page, 0),
        };
        let stamp = Stamp::read(&mapped.load(page), number);
        ensure!(stamp == Stamp::Whole(generation), "page {page}: {stamp:?}");
    }
    Ok(())
}
