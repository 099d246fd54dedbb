// SPDX-License-Identifier: GPL-2.0
//! overlayfs, which truncates with locks held.

use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{ensure, Context as _, Result};
use nix::{
    errno::Errno,
    mount::{mount, umount2, MntFlags, MsFlags},
    unistd::truncate,
};
use pinlease::{AcquireError, Device, Policy};

use super::{hold, one_refusal, PAGE, PAGES, SOON};
use crate::{
    harness::{skip, Context, TestResult},
    support::{
        command::output,
        expect::{errno, from_io, one_of},
        residue, Fill, Mapped,
    },
};

/// An overlay whose layers are on the filesystem to test; dropping it unmounts
/// and removes it.
struct Overlay(PathBuf);

impl Overlay {
    fn new(context: &Context) -> Result<Self> {
        let dir = context.path("overlay");
        let _ = fs::remove_dir_all(&dir);
        for layer in ["lower", "upper", "work", "merged"] {
            fs::create_dir_all(dir.join(layer))?;
        }
        Ok(Self(dir))
    }

    fn mount(&self) -> Result<()> {
        output("modprobe", &["overlay"])?;
        let at = |layer| self.0.join(layer).display().to_string();
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            at("lower"),
            at("upper"),
            at("work")
        );
        let result = mount(
            Some("overlay"),
            &self.path("merged", ""),
            Some("overlay"),
            MsFlags::empty(),
            Some(options.as_str()),
        );
        match result {
            Err(Errno::ENODEV) => skip("the kernel has no overlayfs"),
            other => other.context("mounting an overlay"),
        }
    }

    fn path(&self, layer: &str, name: &str) -> PathBuf {
        self.0.join(layer).join(name)
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        let _ = umount2(&self.path("merged", ""), MntFlags::MNT_DETACH);
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn truncating(path: &Path) -> nix::Result<()> {
    let file = OpenOptions::new().write(true).truncate(true).open(path);
    from_io(file).map(drop)
}

/// A leased file of the upper layer.
pub fn upper(context: &Context) -> TestResult {
    context.load_modules()?;
    let overlay = Overlay::new(context)?;
    let mapped = Mapped::create(&overlay.path("upper", "f"), PAGES, Fill::Faulted)?;
    overlay.mount()?;
    let merged = overlay.path("merged", "f");
    type Cut = fn(&Path) -> nix::Result<()>;
    let cuts: [(&str, Cut); 2] = [
        ("truncate(2)", |path| truncate(path, 0)),
        ("O_TRUNC", truncating),
    ];
    for (what, cut) in cuts {
        let mut holder = hold(&mapped)?;
        let begin = Instant::now();
        errno(what, cut(&merged), Errno::ETXTBSY)?;
        ensure!(
            begin.elapsed() < SOON,
            "{what} waited {:?}",
            begin.elapsed()
        );
        one_refusal(&mut holder).context(what)?;
        ensure!(
            mapped.file().metadata()?.len() == PAGES * PAGE,
            "{what} cut the file"
        );
        holder.end()?;
    }
    residue::none_left()?;
    truncate(&merged, 0).context("when the lease is gone")?;
    drop(mapped);
    drop(overlay);
    Ok(())
}

/// A leased file of the lower layer is only copied.
pub fn lower(context: &Context) -> TestResult {
    context.load_modules()?;
    let overlay = Overlay::new(context)?;
    let mapped = Mapped::create(&overlay.path("lower", "f"), PAGES, Fill::Faulted)?;
    overlay.mount()?;
    let merged = overlay.path("merged", "f");
    let mut holder = hold(&mapped)?;
    let length = fs::metadata(&merged)?.len();
    ensure!(length == PAGES * PAGE, "{length} bytes through the overlay");
    drop(
        OpenOptions::new()
            .append(true)
            .open(&merged)
            .context("copying up")?,
    );
    let copy = fs::read(overlay.path("upper", "f")).context("the copy")?;
    ensure!(
        copy.len() as u64 == length,
        "a copy of {} bytes",
        copy.len()
    );
    truncate(&merged, 0).context("truncate of the copy")?;
    let length = mapped.file().metadata()?.len();
    ensure!(length == PAGES * PAGE, "the lower file has {length} bytes");
    let events = holder.events()?;
    // Whoever copies by sharing may be refused, and copies then.
    ensure!(
        events.iter().all(|event| event.kind.word() == "refused"),
        "copying up broke the lease: {events:?}"
    );
    holder.end()?;
    residue::none_left()?;
    drop(mapped);
    drop(overlay);
    Ok(())
}

/// A lease by way of the overlay is one of the real file, or none.
pub fn through(context: &Context) -> TestResult {
    context.load_modules()?;
    let overlay = Overlay::new(context)?;
    let mapped = Mapped::create(&overlay.path("upper", "f"), PAGES, Fill::Faulted)?;
    overlay.mount()?;
    let merged: File = OpenOptions::new()
        .read(true)
        .write(true)
        .open(overlay.path("merged", "f"))?;
    let device = Device::open()?;
    match device.lease(&merged).policy(Policy::Refuse).acquire() {
        Ok(lease) => {
            let real = truncate(mapped.path(), 0);
            errno("truncate of the real file", real, Errno::ETXTBSY)?;
            drop(lease);
        }
        Err(error) => {
            println!("ACQUIRE through an overlay: {error}");
            let result = Err::<(), _>(AcquireError::errno(error));
            one_of("ACQUIRE", result, &[Errno::EOPNOTSUPP])?;
        }
    }
    residue::none_left()?;
    drop((merged, mapped));
    drop(overlay);
    Ok(())
}
