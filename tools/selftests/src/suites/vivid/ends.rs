// SPDX-License-Identifier: GPL-2.0
//! What ends a stream into a leased file.

use std::{io::Read, os::unix::net::UnixStream, time::Duration};

use anyhow::{ensure, Context as _, Result};
use nix::errno::Errno;
use pinlease::{Device, DmaBuf, ExportOptions, Lease, PinOptions, Policy, State};

use super::capture::BUFFERS;
use crate::{
    harness::{Context, TestResult},
    support::{
        expect::errno,
        page_size, process, residue,
        rights::{receive, send},
        video::{Memory, Video},
        Breaking, DirectReader, Fill, Mapped, Stamp,
    },
};

/// What a policy that acts waits for.
const GRACE: Duration = Duration::from_millis(500);

const LIMIT: Duration = Duration::from_secs(30);

/// A file with room for a frame in each buffer.
fn file(context: &Context, video: &Video) -> Result<Mapped> {
    let pages = video.frame_size().div_ceil(page_size()) as u64;
    let name = context.path("vivid");
    Mapped::create(&name, pages * u64::from(BUFFERS), Fill::Written)
}

/// A lease on it, and a dma-buf for each buffer.
fn hold(mapped: &Mapped, policy: Policy) -> Result<(Lease, Vec<DmaBuf>)> {
    let device = Device::open()?;
    let lease = device.lease(mapped).policy(policy).grace(GRACE).acquire()?;
    let pin = lease.pin(mapped.address(0), mapped.length(), PinOptions::default())?;
    let id = pin.into_id();
    let length = mapped.length() as u64 / u64::from(BUFFERS);
    let buffers = (0..u64::from(BUFFERS)).map(|index| {
        let options = ExportOptions {
            offset: index * length,
            length,
            ..Default::default()
        };
        Ok(lease.export(id, options)?)
    });
    let buffers = buffers.collect::<Result<_>>()?;
    Ok((lease, buffers))
}

/// Begins a stream into these buffers.
fn stream(video: &Video, buffers: &[DmaBuf]) -> Result<()> {
    for (index, buffer) in (0..).zip(buffers) {
        video.queue(index, buffer).context("VIDIOC_QBUF")?;
    }
    video.start().context("VIDIOC_STREAMON")
}

/// The lease is closed while the stream goes on: it drains, and frames are
/// durable until the stream ends.
pub fn close(context: &Context) -> TestResult {
    context.load_modules()?;
    let video = Video::open(Memory::DmaBuf, BUFFERS)?;
    let mapped = file(context, &video)?;
    let (lease, buffers) = hold(&mapped, Policy::Refuse)?;
    stream(&video, &buffers)?;
    video.dequeue()?;
    drop(lease);
    let listed = residue::all_leases()?;
    ensure!(
        listed.len() == 1 && listed[0].state == State::Draining,
        "{listed:?}"
    );
    let mut disk = DirectReader::open(mapped.path())?;
    let pages = mapped.pages() / u64::from(BUFFERS);
    for _ in 1..BUFFERS {
        let frame = video.dequeue()?;
        mapped.file().sync_all()?;
        for page in 0..pages {
            let page = u64::from(frame.index) * pages + page;
            ensure!(
                disk.bytes(page)? == mapped.load(page),
                "{frame:?}, page {page} is not on the disk"
            );
        }
    }
    drop(video);
    drop(buffers);
    residue::none_left()
}

/// A truncation under *kill* ends the process that streams, and goes through.
pub fn kill(context: &Context) -> TestResult {
    context.load_modules()?;
    let video = Video::open(Memory::DmaBuf, BUFFERS)?;
    let mapped = file(context, &video)?;
    drop(video);
    let (ours, theirs) = UnixStream::pair()?;
    let leased = &mapped;
    let holder = process::spawn(move || {
        let (_lease, buffers) = hold(leased, Policy::Kill)?;
        let video = Video::open(Memory::DmaBuf, BUFFERS)?;
        stream(&video, &buffers)?;
        video.dequeue()?;
        send(&theirs, leased)?;
        (&theirs).read_exact(&mut [0])?;
        anyhow::bail!("not killed")
    })?;
    drop(receive(&ours).context("the holder streams")?);
    let breaking = Breaking::truncate(mapped.path(), 0)?;
    let broken = breaking.end(LIMIT)?;
    broken.result()?;
    println!("the truncation took {:?}", broken.took());
    ensure!(broken.took() >= GRACE, "too early: {:?}", broken.took());
    holder.wait_killed(LIMIT).context("the holder")?;
    let length = mapped.file().metadata()?.len();
    ensure!(length == 0, "{length} bytes are left");
    residue::none_left()
}

/// Under *revoke* the import is refused.
pub fn revoke(context: &Context) -> TestResult {
    context.load_modules()?;
    let video = Video::open(Memory::DmaBuf, BUFFERS)?;
    let mapped = file(context, &video)?;
    let (lease, buffers) = hold(&mapped, Policy::Revoke)?;
    // The driver makes this of whatever dma_buf_vmap() says.
    let queued = video.queue(0, &buffers[0]);
    errno("VIDIOC_QBUF", queued, Errno::EFAULT)?;
    drop(video);
    drop(buffers);
    let count = lease.query()?.exports;
    ensure!(count == 0, "{count} dma-bufs are left");
    drop(lease);
    residue::none_left()
}

/// Who maps a revoked dma-buf for the kernel gets memory of nobody: the kernel
/// would warn of an error, and the file is not written.
pub fn late(context: &Context) -> TestResult {
    context.load_modules()?;
    let video = Video::open(Memory::DmaBuf, BUFFERS)?;
    let mapped = file(context, &video)?;
    let (lease, buffers) = hold(&mapped, Policy::Refuse)?;
    drop(lease);
    residue::none_left()?;
    mapped.stamp_by_cpu(5);
    stream(&video, &buffers)?;
    for _ in 0..BUFFERS {
        video.dequeue()?;
    }
    drop(video);
    for page in 0..mapped.pages() {
        let stamp = Stamp::read(&mapped.load(page), page);
        ensure!(
            stamp == Stamp::Whole(5),
            "page {page} was written: {stamp:?}"
        );
    }
    Ok(())
}
