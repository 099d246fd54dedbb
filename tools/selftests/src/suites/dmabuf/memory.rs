// SPDX-License-Identifier: GPL-2.0
//! dma-bufs that the CPU maps.

use anyhow::ensure;
use nix::{
    errno::Errno,
    sys::{
        mman::{MapFlags, ProtFlags},
        signal::Signal,
        wait::WaitStatus,
    },
};
use pinlease::{ExportOptions, Policy};

use super::common::{file, hold, AGES, LIMIT, PAGES};
use crate::{
    harness::{Context, TestResult},
    support::{
        buffer::{announce, Access, BufferMap},
        expect::{errno, success},
        process, DirectReader,
    },
};

/// It shows the file's pages; what is stored there reaches the disk, as from a
/// device.
pub fn mapping(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let (lease, pin, buffer) = hold(&mapped, Policy::Refuse, AGES)?;
    let pages = PAGES as usize;
    let map = BufferMap::shared(&buffer, pages)?;
    for round in 1..=3 {
        for page in 0..pages {
            map.store(page, round);
        }
        mapped.file().sync_all()?;
        let mut disk = DirectReader::open(mapped.path())?;
        for page in 0..PAGES {
            let (there, here) = (disk.bytes(page)?[0], mapped.load(page)[0]);
            ensure!(
                (there, here) == (round, round),
                "round {round}, page {page}: {there} on the disk, {here} in the file's mapping"
            );
        }
    }
    mapped.stamp_page(3, 9);
    ensure!(
        map.load(3) == mapped.load(3)[0],
        "they show different pages"
    );

    let both = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    let private = BufferMap::new(&buffer, pages, both, MapFlags::MAP_PRIVATE);
    errno("a private mapping", private, Errno::EINVAL)?;
    let long = BufferMap::shared(&buffer, pages + 1);
    errno("beyond the end", long, Errno::EINVAL)?;
    let read_only = lease.export(
        pin,
        ExportOptions {
            read_only: true,
            ..Default::default()
        },
    )?;
    let writable = BufferMap::shared(&read_only, pages);
    errno("for writing, of O_RDONLY", writable, Errno::EACCES)?;
    let readable = BufferMap::new(
        &read_only,
        pages,
        ProtFlags::PROT_READ,
        MapFlags::MAP_SHARED,
    )?;
    ensure!(readable.load(0) == 3, "the read-only one shows other pages");
    Ok(())
}

/// After a revoke who touches it gets SIGBUS, whether it touched it before or not,
/// also in a child; the holder's own mapping of the file is not affected.
pub fn revoked(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let (lease, _, buffer) = hold(&mapped, Policy::Refuse, AGES)?;
    let map = BufferMap::shared(&buffer, PAGES as usize)?;
    map.store(0, 1);
    process::spawn(|| {
        ensure!(map.load(0) == 1, "the child sees something else");
        Ok(())
    })?
    .join()?;
    drop(lease);
    for (what, page) in [("a page that was there", 0), ("a page that was not", 1)] {
        let toucher = process::spawn(|| {
            map.store(page, 2);
            Ok(())
        })?;
        let status = toucher.wait(LIMIT)?;
        ensure!(
            matches!(status, WaitStatus::Signaled(_, Signal::SIGBUS, _)),
            "{what}: {status:?}"
        );
    }
    ensure!(mapped.load(0)[0] == 1, "written after the revoke");
    mapped.stamp_page(0, 5);
    let again = BufferMap::shared(&buffer, 1);
    errno("mapping what was revoked", again, Errno::ENODEV)
}

/// `DMA_BUF_IOCTL_SYNC`, before and after a revoke.
pub fn access(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let (lease, _, buffer) = hold(&mapped, Policy::Refuse, AGES)?;
    success("begin", announce(&buffer, Access::Begin))?;
    success("end", announce(&buffer, Access::End))?;
    drop(lease);
    errno(
        "begin, revoked",
        announce(&buffer, Access::Begin),
        Errno::ENODEV,
    )?;
    success("end, revoked", announce(&buffer, Access::End))
}
