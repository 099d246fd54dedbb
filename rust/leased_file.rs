// SPDX-License-Identifier: GPL-2.0

//! A file with at least one lease, or with pins that outlive theirs.
//!
//! Lock order: [`registry::CHANGES`](crate::registry), then `ranges`, then `pins`; the last two
//! are spinlocks that cover a few instructions and are taken in hooks.

use crate::{
    pin::HeldPin,
    policy::range::PageRange,
    sys::{
        file::FileExt, file_lease::FileLease, inode::Inode, mapping::Mapping,
        super_block::SuperBlock, vma::PrivateVma, vma::Vma,
    },
};
use core::sync::atomic::{AtomicU64, Ordering};
use kernel::{
    fs::File,
    new_spinlock,
    prelude::*,
    rbtree::{RBTree, RBTreeNode},
    sync::{aref::ARef, Arc, SetOnce, SpinLock},
    time::{Instant, Monotonic},
};

/// What is known of a leased file.
#[pin_data]
pub(crate) struct LeasedFile {
    file: ARef<File>,
    /// To call `page_mkwrite` with; known once somebody has pinned.
    private_vma: SetOnce<PrivateVma>,
    /// Whether the mapping had stable writes before the first lease.
    stable_before: bool,
    #[pin]
    lease: SpinLock<Option<FileLease>>,
    /// Ranges of the leases, by lease.
    #[pin]
    ranges: SpinLock<RBTree<u64, PageRange>>,
    #[pin]
    pins: SpinLock<RBTree<u64, Arc<HeldPin>>>,
    /// Shared with snapshots that are being written.
    pub(crate) counters: Arc<Counters>,
    armed: AtomicU64,
    created: Instant<Monotonic>,
}

/// Counts since the file's first lease.
#[derive(Default)]
pub(crate) struct Counters {
    /// Pages that were written from a snapshot.
    pub(crate) snapshots: AtomicU64,
    /// Folios that were re-armed.
    pub(crate) rearmed: AtomicU64,
    /// Re-arms that failed, and snapshots whose write failed.
    pub(crate) errors: AtomicU64,
}

impl LeasedFile {
    /// Makes the mapping stable and puts a lease into the kernel's lease core. May sleep.
    ///
    /// Errors: as [`FileLease::new`].
    pub(crate) fn new(file: ARef<File>) -> Result<Arc<Self>> {
        let stable_before = file.mapping().has_stable_writes();
        let kept = file.clone();
        let counters = Arc::new(Counters::default(), GFP_KERNEL)?;
        let leased = Arc::pin_init(
            try_pin_init!(Self {
                file: kept,
                private_vma: SetOnce::new(),
                stable_before,
                lease <- new_spinlock!(None),
                ranges <- new_spinlock!(RBTree::new()),
                pins <- new_spinlock!(RBTree::new()),
                counters,
                armed: AtomicU64::new(0),
                created: Instant::now(),
            }),
            GFP_KERNEL,
        )?;
        let owner = core::ptr::from_ref(&*leased).cast_mut().cast();
        *leased.lease.lock() = Some(FileLease::new(file, owner)?);
        leased.mapping().set_stable_writes(true);
        Ok(leased)
    }

    /// Undoes [`new`](Self::new): no lease and no pin is left. May sleep.
    pub(crate) fn end(&self) {
        self.mapping().set_stable_writes(self.stable_before);
        let lease = self.lease.lock().take();
        drop(lease);
    }

    pub(crate) fn file(&self) -> &ARef<File> {
        &self.file
    }

    pub(crate) fn inode(&self) -> &Inode {
        self.file.inode()
    }

    pub(crate) fn mapping(&self) -> &Mapping {
        self.file.mapping()
    }

    pub(crate) fn super_block(&self) -> &SuperBlock {
        self.file.super_block()
    }

    /// What names it in the registry.
    pub(crate) fn key(&self) -> usize {
        self.mapping().key()
    }

    /// Remembers how mappings of this file are made writable. May sleep.
    ///
    /// Errors: `EOPNOTSUPP` when the filesystem does not want to know, `ENOMEM`.
    pub(crate) fn learn_operations(&self, vma: &Vma) -> Result {
        if self.private_vma.as_ref().is_none() {
            self.private_vma
                .populate(PrivateVma::new(self.file.clone(), vma)?);
        }
        Ok(())
    }

    /// Known before the first pin.
    pub(crate) fn private_vma(&self) -> Option<&PrivateVma> {
        self.private_vma.as_ref()
    }

    /// Adds the range of a lease. May sleep.
    pub(crate) fn add_range(&self, lease: u64, range: PageRange) -> Result {
        let node = RBTreeNode::new(lease, range, GFP_KERNEL)?;
        self.ranges.lock().insert(node);
        Ok(())
    }

    /// Takes the range of a lease out; true when it was the last.
    pub(crate) fn remove_range(&self, lease: u64) -> bool {
        let mut ranges = self.ranges.lock();
        ranges.remove(&lease);
        ranges.is_empty()
    }

    /// Whether a lease has a page of `range`, or a folio with a pinned page has one.
    pub(crate) fn protects(&self, range: &PageRange) -> bool {
        let ranges = self.ranges.lock();
        let leased = ranges.values().any(|leased| leased.overlaps(range));
        drop(ranges);
        let pins = self.pins.lock();
        let pinned = pins.values().any(|pin| pin.footprint().overlaps(range));
        drop(pins);
        leased || pinned
    }

    /// Adds a pin. May sleep.
    pub(crate) fn add_pin(&self, pin: Arc<HeldPin>) -> Result {
        let node = RBTreeNode::new(pin.id, pin, GFP_KERNEL)?;
        self.pins.lock().insert(node);
        Ok(())
    }

    pub(crate) fn pin(&self, id: u64) -> Option<Arc<HeldPin>> {
        self.pins.lock().get(&id).cloned()
    }

    /// Takes a pin out; the pages are unpinned when the last user of the result drops it.
    pub(crate) fn remove_pin(&self, id: u64) -> Option<Arc<HeldPin>> {
        self.pins.lock().remove(&id)
    }

    /// The pin with the smallest id from `id` on, to walk the pins without the lock.
    fn next_pin(&self, id: u64) -> Option<Arc<HeldPin>> {
        let pins = self.pins.lock();
        let pin = pins.cursor_lower_bound(&id)?.current().1.clone();
        Some(pin)
    }

    /// All pins, as they are met one after the other.
    pub(crate) fn pins(&self) -> impl Iterator<Item = Arc<HeldPin>> + '_ {
        let mut next = 0;
        core::iter::from_fn(move || {
            let pin = self.next_pin(next)?;
            next = pin.id + 1;
            Some(pin)
        })
    }

    /// Milliseconds since the pins were last re-armed.
    pub(crate) fn milliseconds_since_arming(&self) -> u64 {
        self.age() - self.armed.load(Ordering::Relaxed)
    }

    /// The pins have just been re-armed.
    pub(crate) fn note_arming(&self) {
        self.armed.store(self.age(), Ordering::Relaxed);
    }

    fn age(&self) -> u64 {
        self.created.elapsed().as_millis().max(0) as u64
    }
}
