// SPDX-License-Identifier: GPL-2.0
//! Devices that do not reach all memory, and memory that is bounced.
//!
//! Nothing is bounced unless the guest is booted with `swiotlb=force` (and
//! `--no-iommu`, or the devices pass it); `beside` tells which it was.

use std::fs;

use anyhow::{ensure, Context as _, Result};

use crate::{
    harness::{skip, Context, TestResult},
    support::{
        edu::{devices, Domain, EduRig, Edus, Fault},
        residue, DirectReader, Fill, Mapped, Requirement, Stamp,
    },
};

/// Memory that a device with the usual 28 bits does not reach.
const BEYOND: u64 = 256 << 20;

/// With the usual 28 bits an IOMMU gives the device addresses that it has.
pub fn short_addresses(context: &Context) -> TestResult {
    let _edus = Edus::load(context, Domain::Strict, 1, "")?;
    // What is free now is mostly beyond.
    let pages = 64;
    let mapped = Mapped::create(&context.path("reach"), pages, Fill::Faulted)?;
    let far = (0..pages).filter(|&page| frame(&mapped, page).is_ok_and(is_beyond));
    let Some(far) = far.last() else {
        return skip("no page beyond the device's reach");
    };
    let rig = EduRig::on(mapped, Fault::None)?;
    rig.edu.write(far, 1, 1)?;
    let seen = Stamp::read(&rig.mapped.load(far), far);
    ensure!(seen == Stamp::Whole(1), "page {far} has {seen:?}");
    drop(rig);
    residue::none_left()
}

fn is_beyond(frame: u64) -> bool {
    frame * 4096 >= BEYOND
}

/// The number of the page's frame.
fn frame(mapped: &Mapped, page: u64) -> Result<u64> {
    crate::support::page_frame(mapped.address(page))
}

/// Without one, the driver refuses the device instead of failing later.
pub fn unreachable(context: &Context) -> TestResult {
    if can_bounce() {
        return skip("there is memory to bounce: swiotlb");
    }
    let _edus = Edus::load(context, Domain::Passthrough, 1, "")?;
    ensure!(devices::is_refused()?, "the driver took the device");
    Ok(())
}

/// What the CPU writes beside what the device writes is not overwritten, neither
/// when the device is done nor when the pages are unmapped; and an fsync saves what
/// the device was said to have written.
pub fn beside(context: &Context) -> TestResult {
    println!("bounced: {}", is_bounced()?);
    let _edus = Edus::usual(context, Domain::Passthrough, 1)?;
    let rig = EduRig::new(&context.path("beside"), 2, Fault::None)?;
    let mut disk = DirectReader::open(rig.mapped.path())?;
    rig.mapped.stamp_page(1, 5);
    rig.edu.write(0, 1, 6)?;
    rig.mapped.file().sync_all()?;
    disk.page(0, Requirement::Exactly(6))?.all_kept()?;
    disk.page(1, Requirement::Exactly(5))?.all_kept()?;
    rig.mapped.stamp_page(1, 7);
    rig.edu.write(0, 1, 8)?;
    let mapped = rig.release();
    residue::none_left()?;
    mapped.file().sync_all()?;
    disk.page(0, Requirement::Exactly(8))?.all_kept()?;
    disk.page(1, Requirement::Exactly(7))?.all_kept()
}

/// Whether the kernel has memory to bounce what a device does not reach: with more than
/// 3 GiB, too.
fn can_bounce() -> bool {
    fs::read_to_string("/sys/kernel/debug/swiotlb/io_tlb_nslabs")
        .is_ok_and(|slabs| slabs.trim() != "0")
}

/// Whether the kernel bounces whatever passes no IOMMU.
fn is_bounced() -> Result<bool> {
    let command_line = fs::read_to_string("/proc/cmdline").context("/proc/cmdline")?;
    Ok(command_line.contains("swiotlb=force"))
}
