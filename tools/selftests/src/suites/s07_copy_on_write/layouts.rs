// SPDX-License-Identifier: GPL-2.0
//! The ways in which filesystems allocate: holes, delayed or not, in clusters,
//! in blocks smaller than a page, inside the inode.  What was fsynced is there
//! after power was cut.

use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use anyhow::{ensure, Context as _, Result};
use pinlease::{AcquireError, Device, PinOptions, Policy};

use crate::{
    harness::{skip, Context, Side, TestResult},
    support::{
        page_size, DirectReader, Engine, Filesystem, Fill, Layer, Mapped, Requirement, Rig,
        RigOptions, Scratch,
    },
};

/// How a filesystem is made and mounted.
struct Layout {
    filesystem: Filesystem,
    name: &'static str,
    mkfs: &'static [&'static str],
    options: &'static str,
    /// Whether it survives when power is cut.
    journaled: bool,
}

const fn layout(
    filesystem: Filesystem,
    name: &'static str,
    mkfs: &'static [&'static str],
    options: &'static str,
) -> Layout {
    Layout {
        filesystem,
        name,
        mkfs,
        options,
        journaled: true,
    }
}

const LAYOUTS: [Layout; 21] = {
    use Filesystem::{Btrfs, Ext4, Xfs};
    [
        layout(Ext4, "nodelalloc", &[], "nodelalloc"),
        layout(Ext4, "bigalloc", &["-O", "bigalloc", "-C", "65536"], ""),
        layout(Ext4, "1 KiB blocks", &["-b", "1024"], ""),
        layout(
            Ext4,
            "1 KiB blocks, nodelalloc",
            &["-b", "1024"],
            "nodelalloc",
        ),
        layout(Ext4, "inline data", &["-O", "inline_data", "-I", "256"], ""),
        layout(Ext4, "no extents", &["-O", "^extent,^64bit"], ""),
        layout(Ext4, "dioread_lock", &[], "dioread_lock"),
        layout(Ext4, "data=writeback", &[], "data=writeback"),
        Layout {
            journaled: false,
            ..layout(Ext4, "no journal", &["-O", "^has_journal"], "")
        },
        layout(Xfs, "1 KiB blocks", &["-b", "size=1024"], ""),
        layout(Xfs, "no reflink", &["-m", "reflink=0"], ""),
        layout(Xfs, "extent size hint", &["-d", "extszinherit=16"], ""),
        layout(Xfs, "copy-on-write hint", &["-d", "cowextsize=32"], ""),
        layout(Xfs, "allocsize", &[], "allocsize=64k"),
        layout(Btrfs, "nodatacow", &[], "nodatacow"),
        layout(Btrfs, "nodatasum", &[], "nodatasum"),
        layout(Btrfs, "dup", &["-d", "dup", "-m", "dup"], ""),
        layout(Btrfs, "mixed", &["--mixed"], ""),
        layout(Btrfs, "sha256", &["--csum", "sha256"], ""),
        layout(Btrfs, "compression", &[], "compress-force=zstd"),
        layout(Btrfs, "flushoncommit", &[], "flushoncommit"),
    ]
};

/// A file full of holes when it is leased.
pub fn holes(context: &Context) -> TestResult {
    context.load_modules()?;
    let scratch = Scratch::new(context.device()?, context.filesystem()?, Layer::Plain)?;
    let mapped = Mapped::sparse(&scratch.dir().join("s07"), context.pages)?;
    // One page that has a block already.
    mapped.stamp_page(context.pages / 2, 0);
    mapped.file().sync_all()?;
    let rig = RigOptions::new(context.side, context.pages, Fill::Faulted).build_on(mapped)?;
    let result = twice(&scratch, vec![rig], true);
    if context.side == Side::Stock {
        ensure!(result.is_err(), "the control shows no loss");
        return Ok(());
    }
    result
}

/// Every layout of this filesystem.
pub fn all(context: &Context) -> TestResult {
    context.load_modules()?;
    let filesystem = context.filesystem()?;
    let mut failed = Vec::new();
    for layout in LAYOUTS
        .iter()
        .filter(|layout| layout.filesystem == filesystem)
    {
        match one(context, layout) {
            Ok(()) => println!("{}: right", layout.name),
            Err(error) => {
                println!("{}: {error:#}", layout.name);
                failed.push(layout.name);
            }
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join(", "));
    Ok(())
}

/// Two files, one pinned by the lease and one under a grant.
fn one(context: &Context, layout: &Layout) -> TestResult {
    let scratch = Scratch::with(
        context.device()?,
        layout.filesystem,
        Layer::Plain,
        layout.mkfs,
        layout.options,
    )?;
    let rigs = [
        ("written", Fill::Written, Side::Pinlease),
        ("faulted", Fill::Faulted, Side::Grant),
    ]
    .into_iter()
    .map(|(name, fill, side)| {
        RigOptions::new(side, context.pages, fill).build(&scratch.dir().join(name))
    })
    .collect::<Result<Vec<_>>>()?;
    twice(&scratch, rigs, layout.journaled)
}

/// Writes, fsyncs, writes, fsyncs, cuts power, reads.
fn twice(scratch: &Scratch, rigs: Vec<Rig>, journaled: bool) -> TestResult {
    for generation in 1..=2 {
        for rig in &rigs {
            rig.engine.write_all(generation)?;
            rig.fsync()?;
            rig.census(Requirement::Exactly(generation))?
                .all_kept()
                .with_context(|| format!("generation {generation}"))?;
        }
    }
    if journaled {
        scratch.cut_power()?;
    }
    let files: Vec<(PathBuf, u64)> = rigs
        .into_iter()
        .map(|rig| {
            let Rig {
                engine,
                hold,
                window,
                mapped,
            } = rig;
            let pages = mapped.pages();
            drop((engine, hold, window));
            (mapped.keep(), pages)
        })
        .collect();
    scratch.cycle()?;
    for (path, pages) in files {
        DirectReader::open(&path)?
            .census(pages, Requirement::Exactly(2))?
            .all_kept()
            .context("after the power cut")?;
    }
    scratch.check()
}

/// A file so small that btrfs keeps it in a tree, and ext4 in the inode, which
/// is refused: ext4 itself loses what is stored into such a file.
pub fn tiny(context: &Context) -> TestResult {
    context.load_modules()?;
    let filesystem = context.filesystem()?;
    let mkfs: &[&str] = match filesystem {
        Filesystem::Ext4 => &["-O", "inline_data", "-I", "256"],
        Filesystem::Xfs | Filesystem::Btrfs => &[],
    };
    let scratch = Scratch::with(context.device()?, filesystem, Layer::Plain, mkfs, "")?;
    let path = scratch.dir().join("tiny");
    fs::write(&path, [7; TINY])?;
    let mapped = Mapped::open(&path, 1)?;
    mapped.file().sync_all()?;
    if context.side == Side::Stock {
        return stores_are_lost(context, &scratch, mapped);
    }
    let engine = Engine::open()?;
    let acquired = Device::open()?
        .lease(&mapped)
        .policy(Policy::Refuse)
        .grant(context.side == Side::Grant)
        .acquire();
    if filesystem == Filesystem::Ext4 {
        ensure!(
            matches!(acquired, Err(AcquireError::Unsupported)),
            "a lease on data in the inode: {acquired:?}"
        );
        return Ok(());
    }
    let lease = acquired?;
    if context.side == Side::Grant {
        engine.pin_raw(mapped.address(0), page_size(), true)?;
    } else {
        let pin = lease.pin(mapped.address(0), page_size(), PinOptions::default())?;
        engine.attach(&lease, pin.into_id())?;
    }
    for generation in 1..=3 {
        engine.write_all(generation)?;
        mapped.file().sync_all()?;
    }
    scratch.cut_power()?;
    drop((engine, lease));
    mapped.keep();
    scratch.cycle()?;
    let found = generations(&path)?;
    ensure!(found == [3; TINY / 8], "after the power cut: {found:?}");
    scratch.check()
}

/// Bytes of a tiny file.
const TINY: usize = 64;

/// The generation of each word of a tiny file.
fn generations(path: &Path) -> Result<[u64; TINY / 8]> {
    let mut bytes = [0; TINY];
    fs::File::open(path)?.read_exact_at(&mut bytes, 0)?;
    let mut generations = [0; TINY / 8];
    for (generation, word) in generations.iter_mut().zip(bytes.chunks_exact(8)) {
        *generation = u64::from_ne_bytes(word.try_into()?) >> 32;
    }
    Ok(generations)
}

/// Why ext4 is refused: no device, no module, but a store that was fsynced.
fn stores_are_lost(context: &Context, scratch: &Scratch, mapped: Mapped) -> TestResult {
    if context.filesystem()? != Filesystem::Ext4 {
        return skip("the control is of ext4");
    }
    mapped.stamp_page(0, 3);
    mapped.file().sync_all()?;
    scratch.cut_power()?;
    let path = mapped.keep();
    scratch.cycle()?;
    let found = generations(&path)?;
    ensure!(
        found != [3; TINY / 8],
        "ext4 keeps data that leaves the inode: no reason to refuse any more"
    );
    Ok(())
}
