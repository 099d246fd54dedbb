// SPDX-License-Identifier: GPL-2.0
//! Every hook of the module's table fires when it should: functions that the
//! compiler inlined are never called, and a hook on one would be silent.

use std::{
    fs::{self, OpenOptions},
    os::fd::AsRawFd,
    path::Path,
};

use anyhow::{ensure, Context as _, Result};
use nix::{
    fcntl::{fallocate, FallocateFlags},
    mount::MsFlags,
    unistd::truncate,
};

use crate::{
    harness::{Context, Test, TestResult},
    support::{
        breakers::BREAKERS,
        clone::clone_file,
        flags,
        freeze::Frozen,
        fscrypt::{self, Cipher},
        page_size,
        proc::hook_hits,
        Filesystem, Fill, Layer, Mapped, Rig, RigOptions, Scratch,
    },
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[Test::new("hooks.fire", fire)];

const PAGE: i64 = page_size() as i64;

/// Something that must pass a hook.
struct Trigger {
    hook: &'static str,
    run: fn(&Rig, &Scratch) -> Result<()>,
    on: &'static [Filesystem],
}

const ALL: &[Filesystem] = &Filesystem::ALL;

fn write_and_fsync(rig: &Rig, _: &Scratch) -> Result<()> {
    // What did not change would not be written.
    for generation in 1..=2 {
        rig.engine.write_all(generation)?;
        rig.fsync()?;
    }
    Ok(())
}

/// Some pages of a new file, which is not leased.
fn write_new(path: &Path) -> Result<()> {
    Mapped::create(path, 32, Fill::Written).map(drop)
}

const TRIGGERS: &[Trigger] = &[
    Trigger {
        hook: "fsync",
        run: write_and_fsync,
        on: ALL,
    },
    Trigger {
        hook: "folio_mkclean",
        run: write_and_fsync,
        on: ALL,
    },
    Trigger {
        hook: "submit_bio",
        run: write_and_fsync,
        on: &[Filesystem::Ext4, Filesystem::Xfs],
    },
    Trigger {
        hook: "btrfs_submit_bbio",
        run: write_and_fsync,
        on: &[Filesystem::Btrfs],
    },
    Trigger {
        hook: "__blk_crypto_submit_bio",
        run: |_, scratch| {
            let folder = scratch.dir().join("encrypted");
            fs::create_dir(&folder)?;
            fscrypt::encrypt(&folder, Cipher::AesXts)?;
            write_new(&folder.join("f"))
        },
        on: &[Filesystem::Ext4],
    },
    Trigger {
        hook: "fs_bio_integrity_generate",
        run: |_, scratch| {
            let protected = Layer::Protected;
            let other = Scratch::new(scratch.source(), scratch.filesystem(), protected)?;
            write_new(&other.dir().join("f"))
        },
        on: &[Filesystem::Xfs],
    },
    Trigger {
        hook: "btrfs_compress_bio",
        run: |_, scratch| {
            scratch.mount_with("compress-force", MsFlags::MS_REMOUNT)?;
            write_new(&scratch.dir().join("compressed"))
        },
        on: &[Filesystem::Btrfs],
    },
    Trigger {
        hook: "sync_inodes_sb",
        run: |rig, _| {
            rig.engine.write_all(2)?;
            nix::unistd::syncfs(rig.mapped.file()).context("syncfs")
        },
        on: ALL,
    },
    Trigger {
        hook: "freeze_super",
        run: |_, scratch| Frozen::freeze(scratch.dir())?.thaw(),
        on: ALL,
    },
    Trigger {
        hook: "vma_needs_dirty_tracking",
        // PIN itself asks for a long-term pin only where the pages may not stay where they are.
        run: |rig, scratch| {
            let options = RigOptions::new(crate::harness::Side::Grant, 2, Fill::Faulted);
            drop(options.build(&scratch.dir().join("second"))?);
            rig.lease().map(drop)
        },
        on: ALL,
    },
    Trigger {
        hook: "setattr",
        run: |rig, _| Ok(rig.mapped.file().set_len(rig.mapped.length() as u64 * 2)?),
        on: ALL,
    },
    Trigger {
        hook: "fallocate",
        run: |rig, _| {
            let beyond = rig.mapped.length() as i64 * 2;
            Ok(fallocate(
                rig.mapped.file(),
                FallocateFlags::empty(),
                beyond,
                PAGE,
            )?)
        },
        on: ALL,
    },
    Trigger {
        hook: "remap_file_range",
        run: |rig, scratch| {
            let mut options = OpenOptions::new();
            let path = scratch.dir().join("clone");
            let clone = options
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .open(path)?;
            // Refused, which is as good here.
            let _ = clone_file(rig.mapped.file(), &clone);
            Ok(())
        },
        on: &[Filesystem::Xfs, Filesystem::Btrfs],
    },
    Trigger {
        hook: "write_iter",
        run: |rig, _| {
            use std::os::unix::fs::FileExt;
            Ok(rig
                .mapped
                .file()
                .write_all_at(b"x", rig.mapped.length() as u64)?)
        },
        on: ALL,
    },
    Trigger {
        hook: "do_ftruncate",
        run: |rig, _| Ok(rig.mapped.file().set_len(rig.mapped.length() as u64 * 2)?),
        on: ALL,
    },
    Trigger {
        hook: "do_truncate",
        run: |_, scratch| {
            let path = scratch.dir().join("truncated");
            fs::write(&path, "truncated")?;
            Ok(truncate(&path, 0)?)
        },
        on: ALL,
    },
    Trigger {
        hook: "__x64_sys_swapon",
        run: |_, scratch| breaker("swapon", scratch),
        on: ALL,
    },
    Trigger {
        hook: "swap_activate",
        run: |_, scratch| breaker("swapon", scratch),
        on: ALL,
    },
    Trigger {
        hook: "fileattr_set",
        run: |rig, _| flags::add(rig.mapped.file(), 0),
        on: ALL,
    },
    Trigger {
        hook: "ext4_move_extents",
        run: |_, scratch| breaker("move-extent of", scratch),
        on: &[Filesystem::Ext4],
    },
    Trigger {
        hook: "remap_verify_area",
        run: |_, scratch| breaker("reflink from", scratch),
        on: &[Filesystem::Xfs, Filesystem::Btrfs],
    },
    Trigger {
        hook: "xfs_ioc_exchange_range",
        run: |rig, _| xfs_call(rig, 129),
        on: &[Filesystem::Xfs],
    },
    Trigger {
        hook: "xfs_ioc_commit_range",
        run: |rig, _| xfs_call(rig, 131),
        on: &[Filesystem::Xfs],
    },
    Trigger {
        hook: "xfs_swap_extents",
        run: |_, scratch| breaker("swapext of", scratch),
        on: &[Filesystem::Xfs],
    },
];

/// Does it to a file without lease.
fn breaker(name: &str, scratch: &Scratch) -> Result<()> {
    let breaker = BREAKERS.iter().find(|breaker| breaker.name == name);
    let breaker = breaker.with_context(|| format!("no breaker is called {name}"))?;
    breaker.exists(scratch.dir()).map(drop)
}

/// A command of XFS with an argument that cannot be read.
fn xfs_call(rig: &Rig, number: u8) -> Result<()> {
    // `struct xfs_exchange_range` has 40 bytes, `struct xfs_commit_range` 88.
    let size = if number == 129 { 40 } else { 88 };
    let command = nix::request_code_write!(b'X', number, size);
    // SAFETY: there is nothing at the address, so that nothing is read.
    let result = unsafe { libc::ioctl(rig.mapped.file().as_raw_fd(), command, 0) };
    ensure!(result == -1, "command {number} succeeded without argument");
    Ok(())
}

fn fire(context: &Context) -> TestResult {
    context.load_modules()?;
    let filesystem = context.filesystem()?;
    let scratch = Scratch::new(context.device()?, filesystem, Layer::Plain)?;
    let options = RigOptions::new(context.side, context.pages, Fill::Faulted);
    let rig = options.build(&scratch.dir().join("f"))?;
    let hits = |hook: &str| -> Result<u64> {
        let all = hook_hits()?;
        all.get(hook)
            .copied()
            .with_context(|| format!("the table has no {hook}, only {:?}", all.keys()))
    };
    let mut silent = Vec::new();
    for trigger in TRIGGERS
        .iter()
        .filter(|trigger| trigger.on.contains(&filesystem))
    {
        let before = hits(trigger.hook)?;
        (trigger.run)(&rig, &scratch).with_context(|| trigger.hook.to_owned())?;
        let after = hits(trigger.hook)?;
        println!("{}: {}", trigger.hook, after - before);
        if after <= before {
            silent.push(trigger.hook);
        }
    }
    ensure!(silent.is_empty(), "hooks that did not fire: {silent:?}");

    let triggered: Vec<_> = TRIGGERS.iter().map(|trigger| trigger.hook).collect();
    for hook in hook_hits()?.keys() {
        ensure!(
            triggered.contains(&hook.as_str()),
            "hook {hook} is not tested"
        );
    }
    Ok(())
}
