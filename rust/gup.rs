// SPDX-License-Identifier: GPL-2.0

//! Pinned user memory: the only caller of `pin_user_pages*()` and `unpin_user_*()`.
//!
//! [`Pinned`] can only be made from a [`Lease`], unpins when it is dropped, and cannot be copied:
//! a writable pin of file memory without a lease does not compile, nor does unpinning twice.
//!
//! The pin is there for long, so that it must not sit in CMA or ZONE_MOVABLE. Pages that are neither
//! are pinned as for a short time: that way is the quicker one, and nothing else distinguishes them.
//! Others are pinned anew with `FOLL_LONGTERM`, which moves them. Stock kernels refuse that for file
//! mappings; while [`pin_for_long`] runs, the hook of `vma_needs_dirty_tracking` [grants](granted) it
//! to this task for this file.
//!
//! C: `mm/gup.c`, Documentation/core-api/pin_user_pages.rst

use crate::{
    bindings,
    lease::Lease,
    leased_file::LeasedFile,
    pin::HeldPin,
    policy::folio_runs::{self, Run, Step},
    policy::range::{PageRange, PAGE_SIZE},
    sys::{dma_table::KeptPages, file::FileExt, folio::Folio, memlock::Charge, task, vma::Vma},
};
use core::{
    mem::MaybeUninit,
    sync::atomic::{AtomicUsize, Ordering},
};
use kernel::{error::to_result, global_lock, prelude::*, sync::Arc};

/// User memory of a leased file, pinned for writing.
///
/// # Invariants
///
/// Every run has `pages` `FOLL_PIN` references to its folio, which belongs to the leased file.
pub(crate) struct Pinned {
    range: PageRange,
    runs: KVVec<Run<*mut bindings::folio>>,
    _charge: Charge,
}

// SAFETY: Pinned folios stay, whoever looks at them; unpinning is allowed in any task.
unsafe impl Send for Pinned {}
// SAFETY: As above.
unsafe impl Sync for Pinned {}

/// Why the filesystem refused a page of `range`, which is mapped. May sleep.
fn refusal(lease: &Lease, range: PageRange) -> Error {
    // It may have been withdrawn meanwhile, and the pages are gone.
    if let Err(error) = lease.valid_range() {
        return error;
    }
    if !lease.file().inode().has_pages(&range) {
        return ENXIO;
    }
    lease.file().file().fault_error(PAGE_SIZE)
}

// A run is what C knows as one.
const _: () =
    assert!(size_of::<Run<*mut bindings::folio>>() == size_of::<bindings::pinlease_run>());

impl Pinned {
    /// Pins `pages` pages at the user address `address`, in one shared writable mapping of the
    /// leased file, inside of the lease's range. The filesystem makes every page writable (dirty)
    /// first, as for a write fault. May sleep.
    ///
    /// Errors: `EFAULT` no such mapping, `ENXIO` another file or outside of the lease, `ENOMEM`
    /// RLIMIT_MEMLOCK or memory, `EDQUOT`, `ENOSPC` and `EIO` the filesystem refuses, `EINTR`,
    /// `EAGAIN` the pages are of something else.
    pub(crate) fn new(lease: &Lease, address: usize, pages: u64) -> Result<Self> {
        let range = mapped_range(lease, address, pages)?;
        let mut pinned = Self {
            range,
            runs: KVVec::new(),
            _charge: Charge::current(pages)?,
        };
        let mut done = 0;
        while done < pages {
            let count = (pages - done).min(CHUNK as u64) as usize;
            let mut chunk = [const { MaybeUninit::uninit() }; CHUNK];
            let next = address + (done * PAGE_SIZE) as usize;
            let got = pin_for_long(lease.file(), next, &mut chunk[..count])
                // The mapping is there, so that it is the filesystem which refused.
                .map_err(|error| match error {
                    EFAULT => refusal(lease, range),
                    error => error,
                })?;
            if done == 0 {
                pinned.make_room(got, pages).inspect_err(|_| unpin(got))?;
            }
            pinned.push(lease.file(), range.first() + done, got)?;
            done += got.len() as u64;
        }
        Ok(pinned)
    }

    /// Room for so many runs as there will be if all of `total` pages are like the first ones: mostly
    /// the folios of a file are alike. Errors: `ENOMEM`.
    fn make_room(&mut self, first: &[*mut bindings::page], total: u64) -> Result {
        let count = first.len();
        // SAFETY: The pages were pinned just now.
        let runs = unsafe { bindings::pinlease_count_runs(first.as_ptr(), count as c_ulong) };
        let expected = match first {
            // SAFETY: As above.
            [page, ..] if runs == 1 => total.div_ceil(unsafe { Folio::of_page(*page) }.pages()) + 1,
            // At most as many as pages.
            _ => (runs as u64 * total).div_ceil(count as u64),
        };
        Ok(self.runs.reserve(expected as usize, GFP_KERNEL)?)
    }

    /// Takes over the pins of `pages`, of which the first is to be page `index` of the file. Errors:
    /// `ENOMEM`; `EAGAIN` when they are not: another thread may have put something else there since it
    /// was looked at, or they are being truncated.
    fn push(&mut self, file: &LeasedFile, index: u64, pages: &mut [*mut bindings::page]) -> Result {
        let mut done = 0;
        while done < pages.len() {
            let rest = &mut pages[done..];
            // SAFETY: The pages were pinned just now.
            let run = unsafe { Folio::run_of(rest, file.mapping(), index + done as u64) };
            let pushed = run.ok_or(EAGAIN).and_then(|(folio, count)| {
                self.push_run(folio, count as u32)?;
                Ok(count)
            });
            done += pushed.inspect_err(|_| unpin(rest))?;
        }
        Ok(())
    }

    /// Takes over the pins of so many pages of `folio`. Errors: `ENOMEM`.
    fn push_run(&mut self, folio: &Folio, pages: u32) -> Result {
        folio.keep_in_cache();
        match folio_runs::step(self.runs.last().copied(), folio.as_ptr(), pages) {
            Step::Extend(run) => {
                if let Some(last) = self.runs.last_mut() {
                    // INVARIANT: More pages, pinned by the caller.
                    *last = run;
                }
            }
            Step::Begin(run) => self.runs.push(run, GFP_KERNEL)?,
        }
        Ok(())
    }

    /// Looks whether the folios are where the file has them: who maps a file may find pages that
    /// are being truncated. Errors: `EAGAIN` when not.
    pub(crate) fn check(&self, file: &LeasedFile) -> Result {
        // SAFETY: By the invariants our pins keep the folios; the mapping is only compared.
        let hold = unsafe {
            bindings::pinlease_runs_hold(
                self.runs.as_ptr().cast(),
                self.runs.len() as c_ulong,
                file.mapping().as_ptr(),
                self.range.first() as c_ulong,
            )
        };
        hold.then_some(()).ok_or(EAGAIN)
    }

    /// The pages in the file.
    pub(crate) fn range(&self) -> PageRange {
        self.range
    }

    /// All pages of the folios that have a pinned page: truncating any of them may throw the whole
    /// folio out of the file (`truncate_inode_partial_folio()` drops a clean folio that it cannot
    /// split, and a pinned one cannot be split).
    pub(crate) fn footprint(&self) -> PageRange {
        let first = self.folios().next().map(|(_, folio)| folio.index());
        let end = self
            .folios()
            .last()
            .map(|(_, folio)| folio.index() + folio.pages());
        match (first, end) {
            (Some(first), Some(end)) => PageRange::new(first, end - first).unwrap_or(self.range),
            _ => self.range,
        }
    }

    /// The runs with their folios, in file order.
    pub(crate) fn folios(&self) -> impl Iterator<Item = (&Run<*mut bindings::folio>, &Folio)> {
        self.runs.iter().map(|run| {
            // SAFETY: By the invariants the folio is kept by our pin.
            (run, unsafe { &*run.folio.cast::<Folio>() })
        })
    }

    /// The frame number of the page with that index in the file; `None` when it is not among them.
    pub(crate) fn frame(&self, index: u64) -> Option<c_ulong> {
        let delta = index.checked_sub(self.range.first())?;
        let after = self
            .runs
            .partition_point(|run| u64::from(run.delta) <= delta);
        let run = self.runs.get(after.checked_sub(1)?)?;
        if delta - u64::from(run.delta) >= u64::from(run.pages) {
            return None;
        }
        // SAFETY: By the invariants the folio is kept by our pin.
        let folio = unsafe { &*run.folio.cast::<Folio>() };
        Some(folio.frame(index - folio.index()))
    }

    /// Number of runs.
    pub(crate) fn run_count(&self) -> usize {
        self.runs.len()
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        for run in &self.runs {
            // SAFETY: By the invariants these pins are ours, and this is the end of them.
            unsafe { bindings::unpin_user_folio(run.folio, run.pages as c_ulong) };
        }
    }
}

/// Some pages of a pin, one after the other, which it keeps.
pub(crate) struct PinnedPages {
    pages: KVVec<*mut bindings::page>,
    _pin: Arc<HeldPin>,
}

// SAFETY: Pinned pages stay, whoever looks at them.
unsafe impl Send for PinnedPages {}

// SAFETY: The list does not change, and the pin keeps its pages.
unsafe impl KeptPages for PinnedPages {
    fn pages(&self) -> &[*mut bindings::page] {
        &self.pages
    }
}

impl PinnedPages {
    /// The pages of `range`, which is part of the pin's. May sleep. Errors: `ENOMEM`.
    pub(crate) fn of(pin: &Arc<HeldPin>, range: PageRange) -> Result<Self> {
        let mut pages = KVVec::with_capacity(range.count() as usize, GFP_KERNEL)?;
        for (run, folio) in pin.pages().folios() {
            let first = pin.range().first() + u64::from(run.delta);
            let wanted = PageRange::new(first, run.pages.into())?.intersection(&range);
            for index in wanted.map_or(0..0, |wanted| wanted.first()..wanted.end()) {
                pages.push(folio.page(index - folio.index()), GFP_KERNEL)?;
            }
        }
        Ok(Self {
            pages,
            _pin: pin.clone(),
        })
    }
}

/// Pages that are pinned in one go: their list is on the stack.
const CHUNK: usize = 64;

/// Room for a list of pinned pages.
type Chunk = [MaybeUninit<*mut bindings::page>];

/// Pins as many pages at `address` as there is room for in `chunk`, where they may stay. Returns
/// those that were pinned, more than none.
fn pin_for_long<'a>(
    file: &LeasedFile,
    address: usize,
    chunk: &'a mut Chunk,
) -> Result<&'a mut [*mut bindings::page]> {
    let mut got = pin_fast(address, bindings::FOLL_WRITE, chunk)?;
    // SAFETY: So many pointers were written.
    let pages = unsafe { beginning(chunk, got) };
    if !may_stay(pages) {
        unpin(pages);
        let _granted = Granted::to_current(file)?;
        let flags = bindings::FOLL_WRITE | bindings::FOLL_LONGTERM;
        got = pin_fast(address, flags, chunk)?;
    }
    // SAFETY: As above.
    Ok(unsafe { beginning(chunk, got) })
}

/// The first `count` of the list.
///
/// # Safety
///
/// So many were written.
unsafe fn beginning(chunk: &mut Chunk, count: usize) -> &mut [*mut bindings::page] {
    let written = &mut chunk[..count];
    // SAFETY: As the caller promises; the layout is the same.
    unsafe { core::slice::from_raw_parts_mut(written.as_mut_ptr().cast(), count) }
}

/// Whether pages that were pinned just now may stay for long where they are.
fn may_stay(pages: &[*mut bindings::page]) -> bool {
    // SAFETY: Pinned pages stay.
    unsafe { bindings::pinlease_pages_may_stay(pages.as_ptr(), pages.len() as c_ulong) }
}

/// Unpins pages that were pinned just now, and whose pins nobody took over.
fn unpin(pages: &mut [*mut bindings::page]) {
    // SAFETY: There is a pin of each, of which nobody else knows.
    unsafe { bindings::unpin_user_pages(pages.as_mut_ptr(), pages.len() as c_ulong) };
}

/// As [`pin_for_long`], with these flags; returns how many pointers were written.
fn pin_fast(address: usize, flags: u32, chunk: &mut Chunk) -> Result<usize> {
    // SAFETY: There is room for so many pointers.
    let got = unsafe {
        bindings::pin_user_pages_fast(
            address as c_ulong,
            chunk.len() as c_int,
            flags as c_uint,
            chunk.as_mut_ptr().cast(),
        )
    };
    to_result(got)?;
    match got {
        0 => Err(EFAULT),
        got => Ok(got as usize),
    }
}

/// The file range that the current process maps at `address`, if it may be pinned.
fn mapped_range(lease: &Lease, address: usize, pages: u64) -> Result<PageRange> {
    let length = usize::try_from(pages * PAGE_SIZE).map_err(|_| EFAULT)?;
    let end = address.checked_add(length).ok_or(EFAULT)?;
    let current = kernel::current!();
    let locked = current.mm().ok_or(EFAULT)?.mmap_read_lock();
    let vma = locked.vma_lookup(address).ok_or(EFAULT)?;
    // SAFETY: The VMA is kept by the mmap lock, and `Vma` is transparent.
    let vma: &Vma = unsafe { &*vma.as_ptr().cast() };
    if end > vma.end() || !vma.is_shared_writable() {
        return Err(EFAULT);
    }
    if vma.mapping_key() != Some(lease.file().key()) {
        return Err(ENXIO);
    }
    let range = PageRange::aligned(vma.offset_of(address), length as u64).map_err(|_| EFAULT)?;
    if !lease.valid_range()?.contains(&range) {
        return Err(ENXIO);
    }
    lease.file().learn_operations(vma)?;
    Ok(range)
}

/// Tasks that are in [`pin_for_long`], and the mapping that they pin.
struct Grants(KVec<(usize, usize)>);

global_lock! {
    // SAFETY: Initialized in `init`, before first use.
    unsafe(uninit) static GRANTS: SpinLock<Grants> = Grants(KVec::new());
}

/// Length of [`static@GRANTS`], to look at without the lock.
static GRANT_COUNT: AtomicUsize = AtomicUsize::new(0);

/// Prepares grants. Once, before anything else here.
pub(crate) fn init() {
    // SAFETY: Called once, when the module is loaded.
    unsafe { GRANTS.init() };
}

/// Gives memory back, which nobody does for a static. Once, after all else here.
pub(crate) fn exit() {
    let grants = core::mem::replace(&mut GRANTS.lock().0, KVec::new());
    drop(grants);
}

/// While it lives, the current task may make long-term pins of one file.
struct Granted {
    task: usize,
}

impl Granted {
    fn to_current(file: &LeasedFile) -> Result<Self> {
        let task = task::key();
        let mut grants = GRANTS.lock();
        grants.0.push((task, file.key()), GFP_ATOMIC)?;
        GRANT_COUNT.store(grants.0.len(), Ordering::Relaxed);
        Ok(Self { task })
    }
}

impl Drop for Granted {
    fn drop(&mut self) {
        let mut grants = GRANTS.lock();
        grants.0.retain(|&mut (task, _)| task != self.task);
        GRANT_COUNT.store(grants.0.len(), Ordering::Relaxed);
    }
}

/// Whether the current task may make a long-term pin of this mapping.
pub(crate) fn granted(mapping_key: usize) -> bool {
    // The task itself stored the count before it came here.
    if GRANT_COUNT.load(Ordering::Relaxed) == 0 {
        return false;
    }
    let wanted = (task::key(), mapping_key);
    GRANTS.lock().0.iter().any(|&granted| granted == wanted)
}
