// SPDX-License-Identifier: GPL-2.0

//! Leases: what a lease descriptor stands for.
//!
//! Lock order: the registry's `CHANGES`, then everything of [`LeasedFile`].

use crate::{
    arbiter::uapi_policy,
    event::{About, Event},
    event_queue::EventQueue,
    export::Exports,
    filesystem,
    grant::Grant,
    gup::Pinned,
    holder::Holder,
    hook,
    leased_file::LeasedFile,
    others::{Looking, Pinners},
    parameters,
    pin::HeldPin,
    policy::{
        lease_state::{LeaseState, Policy},
        range::{PageRange, PAGE_SIZE},
    },
    rearm::{keeps_pin, Frozen},
    registry::{self, CHANGES},
    statistics::{activity::Activity, latency},
    sys::{clock, file::FileExt, interval_map::Room, log},
    tick, trace, watch,
};
use core::sync::atomic::{AtomicU64, Ordering};
use kernel::{
    fs::File,
    impl_has_work, new_work,
    prelude::*,
    sync::{aref::ARef, Arc},
    time::{delay::fsleep, Delta},
    workqueue::{Work, WorkItem},
};

/// A right to have a range of a file pinned for writing.
///
/// Its range and its state are the [`Arbiter`](crate::arbiter::Arbiter)'s.
#[pin_data]
pub(crate) struct Lease {
    /// Names it; never used twice.
    pub(crate) id: u64,
    file: Arc<LeasedFile>,
    pub(crate) policy: Policy,
    pub(crate) grace_ms: u32,
    pub(crate) holder: Holder,
    grant: Option<Arc<Grant>>,
    /// Once it is closed.
    pinners: Pinners,
    #[pin]
    pub(crate) events: EventQueue,
    /// What is done when the policy acts.
    #[pin]
    withdrawal: Work<Lease>,
    pin_count: AtomicU64,
    pinned_pages: AtomicU64,
    pub(crate) exports: Arc<Exports>,
    /// Its pins count there, too.
    pub(crate) activity: Arc<Activity>,
}

impl_has_work! {
    impl HasWork<Self> for Lease { self.withdrawal }
}

/// A file that is going to be leased: it is known to hooks as long as this lives.
struct Coming {
    file: Arc<LeasedFile>,
    /// Whether the hooks were installed for it.
    installed: bool,
}

impl Coming {
    /// Installs the hooks if it is the first. May sleep.
    fn to(file: ARef<File>) -> Result<Self> {
        let mut changes = CHANGES.lock();
        if let Some(leased) = registry::find(file.mapping().key()) {
            leased.arbiter.lock().announce();
            return Ok(Self {
                file: leased,
                installed: false,
            });
        }
        let first = registry::is_empty();
        let installed = hook::install::install_for(&file)?;
        let leased = LeasedFile::new(file)?;
        leased.arbiter.lock().announce();
        changes
            .insert(leased.clone())
            .inspect_err(|_| leased.end())?;
        if first {
            tick::start();
        }
        Ok(Self {
            file: leased,
            installed,
        })
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        let mut arbiter = self.file.arbiter.lock();
        arbiter.arrived();
        let unused = arbiter.is_unused();
        drop(arbiter);
        if unused {
            tick::look_soon();
        }
    }
}

/// What the holder asks for.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) range: PageRange,
    pub(crate) policy: Policy,
    pub(crate) grace_ms: u32,
    /// Whether others may pin it.
    pub(crate) grant: bool,
}

/// Milliseconds that a killed holder has to die.
const DYING_MS: i64 = 5000;

/// Milliseconds between looks at what passes.
const LOOK_MS: i64 = 10;
const LOOK_MS_MAX: i64 = 100;

static NEXT_LEASE: AtomicU64 = AtomicU64::new(1);
static NEXT_PIN: AtomicU64 = AtomicU64::new(1);

impl Lease {
    /// Leases a range of `file` to the current process. Installs the hooks if it is the first lease.
    /// May sleep.
    ///
    /// Errors: those of `struct pinlease_acquire`.
    pub(crate) fn acquire(file: ARef<File>, terms: Terms) -> Result<Arc<Self>> {
        if registry::find(file.mapping().key()).is_none() {
            filesystem::check(&file)?;
        }
        file.may_lease()?;
        let holder = Holder::current();
        if terms.policy == Policy::Kill && holder.process.is_init() {
            return Err(EOPNOTSUPP);
        }
        // Nobody can take away what others pin.
        if terms.policy == Policy::Revoke && terms.grant {
            return Err(EOPNOTSUPP);
        }
        let user = holder.user;
        let began = clock::now();
        CHANGES.lock().charge(user, parameters::leases_per_user())?;
        let lease = Coming::to(file).and_then(|coming| {
            let lease = Self::add(&coming, terms, holder)?;
            Ok((lease, coming.installed))
        });
        if lease.is_err() {
            CHANGES.lock().uncharge(user);
            tick::look_soon();
        }
        let (lease, installed) = lease?;
        // From now on attributes that forbid leases cannot be set; they may have been just now.
        filesystem::check_attributes(lease.file.file()).inspect_err(|_| lease.clone().release())?;
        latency::ACQUIRE.note_since(began);
        if installed {
            latency::FIRST_ACQUIRE.note_since(began);
        }
        trace::lease_acquire(&lease, terms.range);
        Ok(lease)
    }

    fn add(coming: &Coming, terms: Terms, holder: Holder) -> Result<Arc<Self>> {
        let file = &coming.file;
        // Nothing runs or is in flight any more that did not see the file among the leased ones,
        // or was submitted without snapshots.
        file.wait_for_beginning()?;
        file.inode().wait_for_operations()?;
        file.mapping().wait_for_writeback(terms.range);
        if !file.inode().has_pages(&terms.range) {
            return Err(ENXIO);
        }
        let grant = terms.grant.then(|| Grant::new(terms.range)).transpose()?;
        let room_for_grant = terms.grant.then(Room::new).transpose()?;
        let leased = file.clone();
        let exports = Exports::new()?;
        let activity = Arc::new(Activity::default(), GFP_KERNEL)?;
        let lease = Arc::pin_init(
            pin_init!(Self {
                id: NEXT_LEASE.fetch_add(1, Ordering::Relaxed),
                file: leased,
                policy: terms.policy,
                grace_ms: terms.grace_ms,
                holder,
                grant,
                pinners: Pinners::new(),
                events <- EventQueue::new(),
                withdrawal <- new_work!("pinlease_withdrawal"),
                pin_count: AtomicU64::new(0),
                pinned_pages: AtomicU64::new(0),
                exports,
                activity,
            }),
            GFP_KERNEL,
        )?;
        let room = Room::new()?;
        registry::name(&lease)?;
        let added = file
            .arbiter
            .lock()
            .add_lease(terms.range, lease.clone(), room, room_for_grant);
        added.inspect_err(|_| registry::forget(lease.id))?;
        Ok(lease)
    }

    pub(crate) fn file(&self) -> &LeasedFile {
        &self.file
    }

    /// What it has if others may pin its range.
    pub(crate) fn grant(&self) -> Option<&Arc<Grant>> {
        self.grant.as_ref()
    }

    /// Bytes of it in pages that anybody pins, if others may. May sleep.
    pub(crate) fn granted_bytes(&self, range: PageRange) -> u64 {
        self.grant()
            .map_or(0, |_| self.file.mapping().count_pinned(range) * PAGE_SIZE)
    }

    /// Its range and where it is in its life; `None` when it has ended.
    pub(crate) fn state(&self) -> Option<(PageRange, LeaseState)> {
        self.file.arbiter.lock().lease(self.id)
    }

    /// Its range. Errors: `ENODEV` when it is withdrawn.
    pub(crate) fn valid_range(&self) -> Result<PageRange> {
        match self.state() {
            Some((range, state)) if state.is_valid() => Ok(range),
            _ => Err(ENODEV),
        }
    }

    /// Pins held, and pages in them.
    pub(crate) fn pinned(&self) -> (u64, u64) {
        (
            self.pin_count.load(Ordering::Relaxed),
            self.pinned_pages.load(Ordering::Relaxed),
        )
    }

    /// Pins memory of the current process. May sleep.
    ///
    /// Errors: those of `struct pinlease_pin`.
    pub(crate) fn pin(&self, address: usize, pages: u64, marked: bool) -> Result<Arc<HeldPin>> {
        if self.pin_count.load(Ordering::Relaxed) >= parameters::pins_per_lease() {
            return Err(EDQUOT);
        }
        let cleanings = self.file.cleanings();
        let pages = Pinned::new(self, address, pages)?;
        let id = NEXT_PIN.fetch_add(1, Ordering::Relaxed);
        let pin = HeldPin::new(id, self, self.file.clone(), marked, pages)?;
        let (range, room) = (pin.range(), Room::new()?);
        self.count(1, range);
        let mut arbiter = self.file.arbiter.lock();
        let added = arbiter.add_pin(pin.clone(), room);
        drop(arbiter);
        added.inspect_err(|_| self.count(-1, range))?;
        // Who made a page of it clean and did not find the pin had counted before.
        if self.file.cleanings() != cleanings {
            pin.doubt();
        }
        // From now on breakers know of the pin; one that passed before may have taken the pages.
        let settled = self.file.wait_for_async_writes();
        if let Err(error) = settled.and_then(|()| pin.pages().check(&self.file)) {
            self.forget_pin(&pin);
            return Err(error);
        }
        trace::pin(self.file.inode(), &pin);
        Ok(pin)
    }

    /// The lease's pin `id`. Errors: `ENOENT`; `ENODEV` when the lease is withdrawn.
    pub(crate) fn find_pin(&self, id: u64) -> Result<Arc<HeldPin>> {
        match self.file.pin(self.id, id) {
            Some(pin) => Ok(pin),
            None => self.valid_range().and(Err(ENOENT)),
        }
    }

    /// Ends a pin; what the device wrote is dirty then. May sleep.
    ///
    /// Errors: those of `struct pinlease_unpin`.
    pub(crate) fn unpin(&self, id: u64) -> Result {
        self.valid_range()?;
        let pin = self.find_pin(id)?;
        pin.close_if_unused()?;
        self.end_pin(&pin).inspect_err(|&error| {
            if keeps_pin(error) {
                pin.reopen();
            }
        })
    }

    /// Ends a pin that nobody has learned of, so that no device wrote to it: nothing has to be made
    /// dirty, and nothing can keep it. Who guessed its number and attached a driver has it.
    pub(crate) fn take_back(&self, pin: &HeldPin) {
        if pin.close_if_unused().is_ok() && self.forget_pin(pin) {
            trace::unpin(self.file.inode(), pin);
        }
    }

    /// Says that the device wrote `range`. May sleep.
    ///
    /// Errors: those of `struct pinlease_mark`.
    pub(crate) fn mark(&self, range: PageRange) -> Result {
        self.file
            .rearm_pins(range, Frozen::Refuse, |pin| pin.lease == self.id)
    }

    /// Gives back what is outside of `range`.
    ///
    /// Errors: those of `struct pinlease_shrink`.
    pub(crate) fn shrink(&self, range: PageRange) -> Result {
        let _looking = self.grant().map(|_| self.look_outside(range)).transpose()?;
        self.file.arbiter.lock().shrink_lease(self.id, range)?;
        self.file.changed.wake_all();
        trace::lease_shrink(self, range);
        Ok(())
    }

    /// Errors: `EBUSY` others have pinned something outside of `range`.
    fn look_outside(&self, range: PageRange) -> Result<Looking<'_>> {
        let before = self.valid_range()?;
        let looking = Looking::at(&self.file, before)?;
        let pinners = Pinners::new();
        let mut parts = before.without(&range).into_iter().flatten();
        match parts.all(|part| !self.file.look_for_others(part, &pinners).pin) {
            true => Ok(looking),
            false => Err(EBUSY),
        }
    }

    /// The descriptor was closed: stops drivers and ends all pins. May sleep.
    pub(crate) fn release(self: Arc<Self>) {
        self.file.arbiter.lock().close_lease(self.id);
        self.file.changed.wake_all();
        let mut lease = self;
        while !lease.try_end() {
            match crate::draining::hand_over(lease) {
                Ok(()) => return tick::look_soon(),
                Err(kept) => lease = kept,
            }
            fsleep(Delta::from_millis(LOOK_MS));
        }
    }

    /// Ends the lease unless its filesystem is frozen, or somebody has not let go of its pages; true
    /// when it ended. May sleep.
    pub(crate) fn try_end(&self) -> bool {
        if !self.end_pins() || !self.others_ended() {
            return false;
        }
        self.file.tell_failures();
        let state = self.state();
        let leased = self.file.arbiter.lock().remove_lease(self.id);
        self.file.changed.wake_all();
        if leased.is_none() {
            return true;
        }
        drop(leased);
        registry::forget(self.id);
        let mut changes = CHANGES.lock();
        changes.uncharge(self.holder.user);
        changes.remove_if_unused(&self.file);
        drop(changes);
        self.file.forget_pinners();
        if let Some((range, _)) = state {
            trace::lease_release(self, range);
            self.tell_released(range);
        }
        tick::look_soon();
        true
    }

    fn tell_released(&self, range: PageRange) {
        let about = About {
            lease: self.id,
            policy: uapi_policy(self.policy),
            range,
        };
        watch::tell(&self.holder, &Event::released(about));
    }

    /// Whether others have unpinned all that they pinned under it; that is dirty then.
    fn others_ended(&self) -> bool {
        let Some((range, _)) = self.state().filter(|_| self.grant.is_some()) else {
            return true;
        };
        self.pinners.have_pinned(&self.file)
            && !self.file.mapping().has_pinned(range)
            && !self
                .file
                .rearm_others(range, Frozen::Refuse)
                .is_err_and(keeps_pin)
    }

    fn pins(&self) -> impl Iterator<Item = Arc<HeldPin>> + '_ {
        self.file.pins_of(self.id)
    }

    /// Stops devices and ends all pins; false when some stay. May sleep, and calls drivers.
    fn end_pins(&self) -> bool {
        let mut ended = true;
        for pin in self.pins() {
            // What is written after that is not made dirty.
            ended &= pin.revoke_users() && !self.end_pin(&pin).is_err_and(keeps_pin);
        }
        ended
    }

    /// Makes the pin's pages dirty, unless they are or its holder marks, and unpins them; some errors
    /// [keep](keeps_pin) the pin.
    fn end_pin(&self, pin: &HeldPin) -> Result {
        let rearmed = if pin.marked || pin.is_all_dirty() {
            Ok(())
        } else {
            self.file.rearm_pin(pin, Frozen::Refuse)
        };
        if rearmed.is_err_and(keeps_pin) {
            return rearmed;
        }
        if self.forget_pin(pin) {
            trace::unpin(self.file.inode(), pin);
        }
        rearmed
    }

    /// Takes a pin out; true for the one who did.
    fn forget_pin(&self, pin: &HeldPin) -> bool {
        let taken = self.file.arbiter.lock().take_pin((self.id, pin.id));
        if taken.is_none() {
            return false;
        }
        self.count(-1, pin.range());
        true
    }

    /// A pin comes (1) or goes (-1).
    fn count(&self, pins: i64, range: PageRange) {
        let pages = pins * range.count() as i64;
        self.pin_count.fetch_add(pins as u64, Ordering::Relaxed);
        self.pinned_pages.fetch_add(pages as u64, Ordering::Relaxed);
    }

    /// Kills the holder, and waits until its pins are gone, or it is, or it takes too long to die. May
    /// sleep.
    fn kill_holder(&self) {
        let process = &self.holder.process;
        let name = process.name();
        match self.holder.kill() {
            Ok(()) => log::killed(process, name, self.id),
            // Others may have copies of the descriptor.
            Err(ESRCH) => return,
            Err(error) => return log::not_killed(process, self.id, error),
        }
        for _ in 0..DYING_MS / LOOK_MS {
            if self.pins().next().is_none() || self.holder.process.is_gone() {
                return;
            }
            fsleep(Delta::from_millis(LOOK_MS));
        }
    }
}

impl WorkItem for Lease {
    type Pointer = Arc<Self>;

    /// Its policy acts. May sleep long.
    fn run(this: Arc<Self>) {
        if this.policy == Policy::Kill {
            this.kill_holder();
        } else {
            log::revoked(&this.holder.process, this.id);
        }
        // Also of a holder that is gone, as somebody else may have a copy of its descriptor.
        let mut pause = LOOK_MS;
        while !this.end_pins() {
            fsleep(Delta::from_millis(pause));
            pause = (2 * pause).min(LOOK_MS_MAX);
        }
        this.file.changed.wake_all();
    }
}
