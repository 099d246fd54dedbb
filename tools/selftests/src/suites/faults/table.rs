// SPDX-License-Identifier: GPL-2.0
//! The operations in which faults are injected.

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use pinlease::{Device, DmaBuf, ExportOptions, Policy};

use super::scene::Scene;
use crate::support::{page_size, Engine, Import};

/// An operation.
pub struct Operation {
    pub name: &'static str,
    /// What it finds.
    pub prepare: fn(&mut Scene) -> Result<()>,
    pub run: fn(&mut Scene) -> nix::Result<()>,
    /// How it may fail.
    pub may_fail: &'static [Errno],
    /// Whether it is refused without any fault: ETXTBSY.
    pub refused: bool,
    /// Whether it allocates and copies nothing, so that nothing can fail.
    pub harmless: bool,
}

/// No memory, or memory of the caller that cannot be reached.
const USUAL: &[Errno] = &[Errno::ENOMEM, Errno::EFAULT];

/// Where the filesystem is asked, which does not tell why it fails.
const STORING: &[Errno] = &[Errno::ENOMEM, Errno::EFAULT, Errno::EIO, Errno::ENOSPC];

/// How a descriptor may fail to be installed.
const OPENING: &[Errno] = &[Errno::ENOMEM, Errno::EFAULT, Errno::ENFILE, Errno::EMFILE];

const fn operation(
    name: &'static str,
    prepare: fn(&mut Scene) -> Result<()>,
    run: fn(&mut Scene) -> nix::Result<()>,
    may_fail: &'static [Errno],
) -> Operation {
    Operation {
        name,
        prepare,
        run,
        may_fail,
        refused: false,
        harmless: false,
    }
}

pub const OPERATIONS: &[Operation] = &[
    operation("open", |_| Ok(()), open, OPENING),
    operation(
        "acquire",
        |_| Ok(()),
        |scene| scene.acquire(Policy::Refuse),
        OPENING,
    ),
    operation("acquire a grant", |_| Ok(()), grant, OPENING),
    operation("pin", leased, |scene| scene.pin(false), STORING),
    operation("pin, marked", leased, |scene| scene.pin(true), STORING),
    operation("unpin", written, |scene| scene.unpin(), STORING),
    operation("mark", attached, mark, STORING),
    operation("query", attached, query, USUAL),
    operation("shrink", leased, shrink, USUAL),
    operation("list", attached, list, USUAL),
    operation("watch", attached, watch, OPENING),
    operation("read events", told, read, USUAL),
    operation("attach", pinned, |scene| scene.attach(), USUAL),
    Operation {
        harmless: true,
        ..operation("detach", attached, detach, &[])
    },
    operation("export", pinned, |scene| export(scene).map(drop), OPENING),
    operation("import", pinned, import, OPENING),
    operation("fsync", dirty, fsync, STORING),
    operation("msync", dirty, msync, STORING),
    operation("syncfs", dirty, syncfs, STORING),
    operation("buffered write", dirty, write, STORING),
    Operation {
        refused: true,
        ..operation("refused break", attached, refused, USUAL)
    },
    operation("close", dirty, close, &[]),
];

fn leased(scene: &mut Scene) -> Result<()> {
    scene.acquire(Policy::Refuse).context("acquire")
}

fn pinned(scene: &mut Scene) -> Result<()> {
    leased(scene)?;
    scene.pin(false).context("pin")
}

fn attached(scene: &mut Scene) -> Result<()> {
    pinned(scene)?;
    scene.attach().context("attach")
}

/// The device wrote what is not on the disk; the page is clean.
fn dirty(scene: &mut Scene) -> Result<()> {
    attached(scene)?;
    scene.write()?;
    scene.saved()?;
    scene.write()
}

fn written(scene: &mut Scene) -> Result<()> {
    dirty(scene)?;
    scene.detach();
    Ok(())
}

/// A watch has an event.
fn told(scene: &mut Scene) -> Result<()> {
    scene.watch = Some(scene.device.watch()?);
    attached(scene)
}

fn open(_: &mut Scene) -> nix::Result<()> {
    Device::open().map(drop).map_err(pinlease::OpenError::errno)
}

fn grant(scene: &mut Scene) -> nix::Result<()> {
    let lease = scene
        .device
        .lease(&scene.mapped)
        .policy(Policy::Refuse)
        .grant(true)
        .acquire();
    lease.map(drop).map_err(pinlease::AcquireError::errno)
}

fn mark(scene: &mut Scene) -> nix::Result<()> {
    let lease = scene.lease.as_ref().ok_or(Errno::EBADF)?;
    let marked = lease.mark(0, scene.mapped.length() as u64);
    marked.map_err(pinlease::MarkError::errno)
}

fn query(scene: &mut Scene) -> nix::Result<()> {
    let lease = scene.lease.as_ref().ok_or(Errno::EBADF)?;
    lease.query().map(drop).map_err(pinlease::QueryError::errno)
}

fn shrink(scene: &mut Scene) -> nix::Result<()> {
    let lease = scene.lease.as_ref().ok_or(Errno::EBADF)?;
    // To what it has, so that it goes on.
    let shrunk = lease.shrink(0, scene.mapped.length() as u64);
    shrunk.map_err(pinlease::ShrinkError::errno)
}

fn list(scene: &mut Scene) -> nix::Result<()> {
    for lease in scene.device.leases() {
        lease.map_err(pinlease::ListError::errno)?;
    }
    Ok(())
}

fn watch(scene: &mut Scene) -> nix::Result<()> {
    let watch = scene.device.watch().map_err(pinlease::WatchError::errno)?;
    scene.watch = Some(watch);
    Ok(())
}

fn read(scene: &mut Scene) -> nix::Result<()> {
    let watch = scene.watch.as_ref().ok_or(Errno::EBADF)?;
    watch.read_event().map(drop).map_err(|error| match error {
        pinlease::ReadError::BadAddress => Errno::EFAULT,
        _ => Errno::EPROTO,
    })
}

fn export(scene: &mut Scene) -> nix::Result<DmaBuf> {
    let lease = scene.lease.as_ref().ok_or(Errno::EBADF)?;
    let exported = lease.export(scene.pin.ok_or(Errno::EBADF)?, ExportOptions::default());
    exported.map_err(pinlease::ExportError::errno)
}

/// By a device of its own, which lets go of it.
fn import(scene: &mut Scene) -> nix::Result<()> {
    let buffer = export(scene)?;
    let engine = Engine::open().map_err(|_| Errno::ENOMEM)?;
    engine.import(&buffer, Import::Revocable)
}

fn detach(scene: &mut Scene) -> nix::Result<()> {
    scene.detach();
    Ok(())
}

fn fsync(scene: &mut Scene) -> nix::Result<()> {
    nix::unistd::fsync(scene.mapped.file())
}

fn msync(scene: &mut Scene) -> nix::Result<()> {
    scene.mapped.msync(0, scene.mapped.pages())
}

fn syncfs(scene: &mut Scene) -> nix::Result<()> {
    nix::unistd::syncfs(scene.mapped.file())
}

/// Of a page that is pinned; the device writes it again before anybody looks.
fn write(scene: &mut Scene) -> nix::Result<()> {
    let zeroes = [0_u8; page_size()];
    scene.overwritten = true;
    nix::sys::uio::pwrite(scene.mapped.file(), &zeroes, 0).map(drop)
}

fn refused(scene: &mut Scene) -> nix::Result<()> {
    nix::unistd::ftruncate(scene.mapped.file(), 0)
}

fn close(scene: &mut Scene) -> nix::Result<()> {
    scene.release().map_err(|_| Errno::EBADF)
}
