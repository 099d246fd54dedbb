// SPDX-License-Identifier: GPL-2.0

//! A file with at least one lease, or with pins that outlive theirs.
//!
//! Lock order: [`registry::CHANGES`](crate::registry), then `begun`; in hooks an inode's lock and
//! freeze protection, in them the mmap lock of a process, which is only tried; then `pinners`; then
//! `arbiter`, a spinlock that is taken in hooks, then those of what its holders tell (events,
//! watches, wait queues, signals).

use crate::{
    arbiter::{Arbiter, PinKey},
    failure::Passes,
    pin::HeldPin,
    policy::range::PageRange,
    statistics::{counter::Counter, totals},
    sys::{
        file::FileExt, file_lease::FileLease, inode::Inode, irq_lock::IrqLock, mapping::Mapping,
        mm::Mm, operation_section, super_block::SuperBlock, vma::PrivateVma, vma::Vma,
        wait_queue::WaitQueue,
    },
};
use core::sync::atomic::{AtomicU64, Ordering};
use kernel::{
    fs::File,
    impl_has_work, new_mutex, new_spinlock, new_work,
    prelude::*,
    sync::{aref::ARef, Arc, Mutex, SetOnce, SpinLock},
    time::{Instant, Monotonic},
    workqueue::Work,
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
    #[pin]
    pub(crate) arbiter: SpinLock<Arbiter>,
    /// Address spaces in which others may pin it.
    #[pin]
    pub(crate) pinners: Mutex<KVec<Mm>>,
    /// Breakers wait here for the arbiter to change.
    #[pin]
    pub(crate) changed: WaitQueue,
    /// Whether every operation that did not see a lease is over.
    #[pin]
    begun: Mutex<bool>,
    /// Shared with snapshots that are being written.
    pub(crate) counters: Arc<Counters>,
    /// The tick's.
    #[pin]
    tick: Work<LeasedFile>,
    pub(crate) passes: Passes,
    /// How many errors were recorded when an fsync failed last.
    pub(crate) explained: AtomicU64,
    armed: AtomicU64,
    /// How often a folio that may be pinned was made clean.
    cleanings: AtomicU64,
    created: Instant<Monotonic>,
}

impl_has_work! {
    impl HasWork<Self> for LeasedFile { self.tick }
}

/// Counts since the file's first lease.
#[pin_data]
pub(crate) struct Counters {
    /// Pages that were written from a snapshot.
    pub(crate) snapshots: Counter,
    /// Folios that were re-armed.
    pub(crate) rearmed: Counter,
    /// Re-arms that failed, and snapshots whose write failed.
    pub(crate) errors: Counter,
    /// Those of them that the next fsync of every open file reports.
    pub(crate) recorded: Counter,
    /// Where the writes of snapshots failed, of which nobody was told.
    #[pin]
    pub(crate) unwritten: IrqLock<Option<PageRange>>,
}

impl Counters {
    fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            snapshots: Counter::new(),
            rearmed: Counter::new(),
            errors: Counter::new(),
            recorded: Counter::new(),
            unwritten <- IrqLock::new(None),
        })
    }

    /// The write of a snapshot of `range` failed. Any context.
    pub(crate) fn note_unwritten(&self, range: PageRange) {
        self.errors.add(1);
        totals::ERRORS.add(1);
        self.recorded.add(1);
        self.unwritten.with(|noted| {
            *noted = Some(noted.map_or(range, |before| before.joined(&range)));
        });
    }
}

impl LeasedFile {
    /// Makes the mapping stable and puts a lease into the kernel's lease core. May sleep.
    ///
    /// Errors: as [`FileLease::new`].
    pub(crate) fn new(file: ARef<File>) -> Result<Arc<Self>> {
        let stable_before = file.mapping().has_stable_writes();
        let kept = file.clone();
        let counters = Arc::pin_init(Counters::new(), GFP_KERNEL)?;
        let leased = Arc::pin_init(
            try_pin_init!(Self {
                file: kept,
                private_vma: SetOnce::new(),
                stable_before,
                lease <- new_spinlock!(None),
                arbiter <- new_spinlock!(Arbiter::new()),
                pinners <- new_mutex!(KVec::new()),
                changed <- WaitQueue::new(),
                begun <- new_mutex!(false),
                counters,
                tick <- new_work!("pinlease_tick"),
                passes: Passes::default(),
                explained: AtomicU64::new(0),
                armed: AtomicU64::new(0),
                cleanings: AtomicU64::new(0),
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

    /// Waits until no operation runs any more that did not see the file's first lease. May sleep.
    ///
    /// Errors: `EAGAIN`, `EINTR`.
    pub(crate) fn wait_for_beginning(&self) -> Result {
        let mut begun = self.begun.lock();
        if !*begun {
            operation_section::wait_for_running()?;
            *begun = true;
        }
        Ok(())
    }

    /// Waits for direct writes whose calls have returned: they throw out cached pages when they end.
    /// May sleep. Errors: `EINTR`.
    pub(crate) fn wait_for_async_writes(&self) -> Result {
        if self.arbiter.lock().has_late_writes() {
            self.inode().wait_for_operations()?;
        }
        Ok(())
    }

    /// The pin `id` of `lease`.
    pub(crate) fn pin(&self, lease: u64, id: u64) -> Option<Arc<HeldPin>> {
        self.arbiter.lock().pin((lease, id))
    }

    /// All pins, as they are met one after the other.
    pub(crate) fn pins(&self) -> impl Iterator<Item = Arc<HeldPin>> + '_ {
        self.pins_from((0, 0))
    }

    /// The pins of a lease, as they are met one after the other.
    pub(crate) fn pins_of(&self, lease: u64) -> impl Iterator<Item = Arc<HeldPin>> + '_ {
        self.pins_from((lease, 0))
            .take_while(move |pin| pin.lease == lease)
    }

    fn pins_from(&self, mut next: PinKey) -> impl Iterator<Item = Arc<HeldPin>> + '_ {
        core::iter::from_fn(move || {
            let pin = self.arbiter.lock().next_pin(next)?;
            next = (pin.lease, pin.id + 1);
            Some(pin)
        })
    }

    /// How often a folio that may be pinned was made clean, for whoever pins: it is counted before the
    /// arbiter is asked for the pins that have to know.
    pub(crate) fn cleanings(&self) -> u64 {
        self.cleanings.load(Ordering::SeqCst)
    }

    /// A folio that may be pinned was made clean.
    pub(crate) fn count_cleaning(&self) {
        self.cleanings.fetch_add(1, Ordering::SeqCst);
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
