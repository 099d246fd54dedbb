// SPDX-License-Identifier: GPL-2.0

//! Leases: what a lease descriptor stands for.
//!
//! Lock order: the registry's `CHANGES`, then everything of [`LeasedFile`].

use crate::{
    filesystem,
    gup::Pinned,
    hook,
    leased_file::LeasedFile,
    parameters,
    pin::HeldPin,
    policy::range::PageRange,
    rearm::Frozen,
    registry::{self, CHANGES},
    sys::file::FileExt,
    tick, trace,
};
use core::sync::atomic::{AtomicU64, Ordering};
use kernel::{
    fs::File,
    prelude::*,
    sync::{aref::ARef, Arc},
    task::Kuid,
    time::{delay::fsleep, Delta},
};

/// Who yields when a conflicting operation meets a lease.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Policy {
    /// The breaker gets ETXTBSY.
    Refuse = crate::bindings::PINLEASE_POLICY_REFUSE,
}

impl Policy {
    /// As user space writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
        }
    }
}

/// A right to have a range of a file pinned for writing.
pub(crate) struct Lease {
    id: u64,
    file: Arc<LeasedFile>,
    range: PageRange,
    pub(crate) policy: Policy,
    pub(crate) grace_ms: u32,
    holder: Kuid,
    pin_count: AtomicU64,
    pinned_pages: AtomicU64,
}

static NEXT_LEASE: AtomicU64 = AtomicU64::new(1);
static NEXT_PIN: AtomicU64 = AtomicU64::new(1);

impl Lease {
    /// Leases `range` of `file`. Installs the hooks if it is the first lease. May sleep.
    ///
    /// Errors: those of `struct pinlease_acquire`.
    pub(crate) fn acquire(
        file: ARef<File>,
        range: PageRange,
        policy: Policy,
        grace_ms: u32,
    ) -> Result<Arc<Self>> {
        filesystem::check(&file)?;
        file.may_lease()?;
        let holder = Kuid::current_euid();
        let mut changes = CHANGES.lock();
        changes.charge(holder, parameters::leases_per_user())?;
        let lease = Self::register(&mut changes, file, range, policy, grace_ms, holder);
        if lease.is_err() {
            changes.uncharge(holder);
            tick::look_soon();
        }
        drop(changes);
        let lease = lease?;
        // From now on snapshots are taken; what is in flight was not.
        lease.file.mapping().wait_for_writeback(range);
        trace::lease_acquire(lease.file.inode(), range, policy as u32);
        Ok(lease)
    }

    fn register(
        changes: &mut registry::Changes,
        file: ARef<File>,
        range: PageRange,
        policy: Policy,
        grace_ms: u32,
        holder: Kuid,
    ) -> Result<Arc<Self>> {
        let id = NEXT_LEASE.fetch_add(1, Ordering::Relaxed);
        let new = |leased: Arc<LeasedFile>| {
            leased.add_range(id, range)?;
            let lease = Self {
                id,
                file: leased.clone(),
                range,
                policy,
                grace_ms,
                holder,
                pin_count: AtomicU64::new(0),
                pinned_pages: AtomicU64::new(0),
            };
            Arc::new(lease, GFP_KERNEL)
                .inspect_err(|_| {
                    leased.remove_range(id);
                })
                .map_err(Error::from)
        };
        if let Some(leased) = registry::find(file.mapping().key()) {
            return new(leased);
        }
        let first = registry::is_empty();
        hook::install::install_for(&file)?;
        let leased = LeasedFile::new(file)?;
        let result = changes
            .insert(leased.clone())
            .and_then(|()| new(leased.clone()));
        match result {
            Ok(_) if first => tick::start(),
            Ok(_) => (),
            Err(_) => {
                changes.remove(&leased);
                leased.end();
            }
        }
        result
    }

    pub(crate) fn file(&self) -> &LeasedFile {
        &self.file
    }

    pub(crate) fn range(&self) -> PageRange {
        self.range
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
        let pages = Pinned::new(self, address, pages)?;
        let id = NEXT_PIN.fetch_add(1, Ordering::Relaxed);
        let pin = HeldPin::new(id, self.id, marked, pages)?;
        self.file.add_pin(pin.clone())?;
        self.pin_count.fetch_add(1, Ordering::Relaxed);
        self.pinned_pages
            .fetch_add(pin.range().count(), Ordering::Relaxed);
        trace::pin(self.file.inode(), &pin);
        Ok(pin)
    }

    /// The lease's pin `id`. Errors: `ENOENT`.
    pub(crate) fn find_pin(&self, id: u64) -> Result<Arc<HeldPin>> {
        self.file
            .pin(id)
            .filter(|pin| pin.lease == self.id)
            .ok_or(ENOENT)
    }

    /// Ends a pin; what the device wrote is dirty then. May sleep.
    ///
    /// Errors: those of `struct pinlease_unpin`.
    pub(crate) fn unpin(&self, id: u64) -> Result {
        let pin = self.find_pin(id)?;
        pin.close_if_unused()?;
        self.end_pin(&pin, Frozen::Refuse).inspect_err(|&error| {
            if keeps_pin(error) {
                pin.reopen();
            }
        })
    }

    /// Says that the device wrote `range`. May sleep.
    ///
    /// Errors: those of `struct pinlease_mark`.
    pub(crate) fn mark(&self, range: PageRange) -> Result {
        self.file
            .rearm_pins(range, Frozen::Refuse, |pin| pin.lease == self.id)
    }

    /// The descriptor was closed: stops drivers and ends all pins. May sleep.
    pub(crate) fn release(self: Arc<Self>) {
        for pin in self.pins() {
            pin.revoke_users();
        }
        if self.try_end() {
            return;
        }
        if let Err(lease) = crate::draining::hand_over(self) {
            while !lease.end(Frozen::Wait) {
                fsleep(Delta::from_millis(10));
            }
        }
        tick::look_soon();
    }

    /// Ends the lease unless its filesystem is frozen; true when it ended. May sleep.
    pub(crate) fn try_end(&self) -> bool {
        self.end(Frozen::Refuse)
    }

    fn end(&self, frozen: Frozen) -> bool {
        for pin in self.pins() {
            if self.end_pin(&pin, frozen).is_err_and(keeps_pin) {
                return false;
            }
        }
        let mut changes = CHANGES.lock();
        if self.file.remove_range(self.id) {
            changes.remove(&self.file);
            self.file.end();
        }
        changes.uncharge(self.holder);
        drop(changes);
        trace::lease_release(self.file.inode(), self.range);
        tick::look_soon();
        true
    }

    fn pins(&self) -> impl Iterator<Item = Arc<HeldPin>> + '_ {
        self.file.pins().filter(|pin| pin.lease == self.id)
    }

    /// Makes the pin's pages dirty, unless its holder marks, and unpins them; some errors
    /// [keep](keeps_pin) the pin.
    fn end_pin(&self, pin: &HeldPin, frozen: Frozen) -> Result {
        let rearmed = if pin.marked {
            Ok(())
        } else {
            self.file.rearm_pin(pin, pin.range(), frozen)
        };
        if rearmed.is_err_and(keeps_pin) {
            return rearmed;
        }
        if self.file.remove_pin(pin.id).is_some() {
            self.pin_count.fetch_sub(1, Ordering::Relaxed);
            self.pinned_pages
                .fetch_sub(pin.range().count(), Ordering::Relaxed);
            trace::unpin(self.file.inode(), pin);
        }
        rearmed
    }
}

/// Whether a pin cannot end because of this error, which passes: a frozen filesystem (`EBUSY`), no
/// memory.
fn keeps_pin(error: Error) -> bool {
    matches!(error, EBUSY | ENOMEM)
}
