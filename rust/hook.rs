// SPDX-License-Identifier: GPL-2.0

//! The table of hooked kernel functions.
//!
//! A hook sends callers of a kernel function to a Rust function of ours, which calls the original
//! where it likes. ftrace does the sending, as for livepatches: one `struct ftrace_ops` with
//! `FTRACE_OPS_FL_IPMODIFY` for all hooks, and `FTRACE_OPS_FL_PERMANENT` so that no kernel lets
//! `kernel.ftrace_enabled = 0` drop the protection silently (7.3 refuses that in any case).
//!
//! How the original is called is in [`call`], how addresses are found in [`install`].
//!
//! C header: [`include/linux/ftrace.h`](srctree/include/linux/ftrace.h)

#[cfg(CONFIG_BLK_INLINE_ENCRYPTION)]
pub(crate) mod blk_crypto_submit_bio;
pub(crate) mod btrfs_compress_bio;
pub(crate) mod btrfs_submit_bbio;
pub(crate) mod call;
pub(crate) mod do_ftruncate;
pub(crate) mod do_truncate;
pub(crate) mod fallocate;
pub(crate) mod fileattr_set;
pub(crate) mod folio_mkclean;
pub(crate) mod freeze_super;
#[cfg(CONFIG_BLK_DEV_INTEGRITY)]
pub(crate) mod fs_bio_integrity_generate;
pub(crate) mod fsync;
mod handler;
pub(crate) mod install;
pub(crate) mod move_extents;
pub(crate) mod remap_file_range;
pub(crate) mod remap_verify_area;
pub(crate) mod setattr;
mod signature;
pub(crate) mod submit_bio;
pub(crate) mod swap_activate;
pub(crate) mod swapon;
pub(crate) mod sync_inodes_sb;
pub(crate) mod vma_needs_dirty_tracking;
pub(crate) mod write_iter;
pub(crate) mod xfs_commit_range;
pub(crate) mod xfs_exchange_range;
pub(crate) mod xfs_swap_extents;

use crate::{bindings, statistics::counter::Counter};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use kernel::prelude::*;

pub(crate) use signature::{HookArg, HookReturn};

/// Every hook, in the order of installation.
pub(crate) static HOOKS: &[&Hook] = &[
    &folio_mkclean::HOOK,
    &submit_bio::HOOK,
    #[cfg(CONFIG_BLK_INLINE_ENCRYPTION)]
    &blk_crypto_submit_bio::HOOK,
    #[cfg(CONFIG_BLK_DEV_INTEGRITY)]
    &fs_bio_integrity_generate::HOOK,
    &btrfs_submit_bbio::HOOK,
    &btrfs_compress_bio::HOOK,
    &fsync::HOOK,
    &sync_inodes_sb::HOOK,
    &freeze_super::HOOK,
    &vma_needs_dirty_tracking::HOOK,
    &setattr::HOOK,
    &fallocate::HOOK,
    &remap_file_range::HOOK,
    &write_iter::HOOK,
    &do_ftruncate::HOOK,
    &do_truncate::HOOK,
    &swap_activate::HOOK,
    &swapon::HOOK,
    &fileattr_set::HOOK,
    &move_extents::HOOK,
    &remap_verify_area::HOOK,
    &xfs_exchange_range::HOOK,
    &xfs_commit_range::HOOK,
    &xfs_swap_extents::HOOK,
];

/// How many functions one hook can replace: one for each filesystem, for operations.
const SLOTS: usize = 4;

/// Where the address of a hooked function comes from.
pub(crate) enum Source {
    /// An exported function.
    Function(*const ()),
    /// A name that a kprobe can resolve.
    Symbol(&'static CStr),
    /// The leased file's operations.
    FileOperation(fn(&bindings::file_operations) -> Option<*const ()>),
    /// The leased inode's operations.
    InodeOperation(fn(&bindings::inode_operations) -> Option<*const ()>),
    /// The operations of its mapping.
    MappingOperation(fn(&bindings::address_space_operations) -> Option<*const ()>),
}

/// One hooked address.
pub(crate) struct Slot {
    /// Entry of the original; 0: never used. It and `body` stay when the hook is removed, because calls
    /// that are in the replacement go on to the original.
    target: AtomicUsize,
    /// Where the original goes on behind its call of ftrace; 0: nobody was sent here since `target`
    /// changed.
    body: AtomicUsize,
    /// Whether ftrace sends callers here.
    active: AtomicBool,
    /// Where callers are sent.
    replacement: *const (),
}

// SAFETY: `replacement` is the address of code and never written through.
unsafe impl Sync for Slot {}

impl Slot {
    const fn new(replacement: *const ()) -> Self {
        Self {
            target: AtomicUsize::new(0),
            body: AtomicUsize::new(0),
            active: AtomicBool::new(false),
            replacement,
        }
    }

    /// Entry of the original; 0 when free.
    pub(crate) fn target(&self) -> usize {
        self.target.load(Ordering::Acquire)
    }

    fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    fn set_active(&self, active: bool) {
        self.active.store(active, Ordering::Relaxed);
    }

    /// Where [`call::original`] enters the original, in a call that was sent here.
    pub(crate) fn body(&self) -> usize {
        self.body.load(Ordering::Relaxed)
    }

    /// Each call does, before it is sent here; it is always the same.
    fn learn_body(&self, body: usize) {
        // No store but the first: all processors read this.
        if self.body() != body {
            self.body.store(body, Ordering::Relaxed);
        }
    }
}

/// One Rust function and the kernel functions that it replaces.
pub(crate) struct Hook {
    pub(crate) name: &'static str,
    source: Source,
    /// Only files of this filesystem need the hook.
    filesystem: Option<&'static str>,
    slots: [Slot; SLOTS],
    hits: Counter,
}

// SAFETY: The addresses in `source` are those of code.
unsafe impl Sync for Hook {}

impl Hook {
    pub(crate) const fn new(
        name: &'static str,
        source: Source,
        filesystem: Option<&'static str>,
        replacements: [*const (); SLOTS],
    ) -> Self {
        let [a, b, c, d] = replacements;
        Self {
            name,
            source,
            filesystem,
            slots: [Slot::new(a), Slot::new(b), Slot::new(c), Slot::new(d)],
            hits: Counter::new(),
        }
    }

    /// Counts a call and keeps the module's code until the guard is dropped.
    pub(crate) fn enter(&self) -> Running {
        self.hits.add(1);
        Running::new()
    }

    pub(crate) fn slot(&self, index: usize) -> &Slot {
        &self.slots[index]
    }

    /// Addresses that are hooked now.
    pub(crate) fn targets(&self) -> impl Iterator<Item = usize> + '_ {
        self.slots
            .iter()
            .filter(|slot| slot.is_active())
            .map(Slot::target)
    }

    /// Calls since the module was loaded.
    pub(crate) fn hits(&self) -> u64 {
        self.hits.get()
    }
}

/// A call that runs in a hook. It may sleep.
pub(crate) struct Running(c_int);

impl Running {
    fn new() -> Self {
        // SAFETY: A hook runs in a context where an SRCU read section may begin, any.
        Self(unsafe { bindings::pinlease_hook_enter() })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // SAFETY: The token is of the section that `new` entered, in this task.
        unsafe { bindings::pinlease_hook_exit(self.0) };
    }
}
