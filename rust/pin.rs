// SPDX-License-Identifier: GPL-2.0

//! One pin of a lease, and who uses it for a device: drivers that [attached](crate::attach), and
//! dma-bufs ([`mod@crate::export`]).

use crate::{
    arbiter::PinKey, gup::Pinned, lease::Lease, leased_file::LeasedFile, policy::range::PageRange,
    statistics::activity::Activity, tick, written::Written,
};
use kernel::{new_mutex, prelude::*, sync::Arc, sync::Mutex};

/// Somebody who uses a pin for a device.
pub(crate) trait User: Send + Sync {
    /// Takes the pages away from it; called again if that failed. True when no device has them any
    /// more on its account, and it has let go of the pin. May sleep.
    fn revoke(&self) -> bool;
}

/// What `PINLEASE_IOC_PIN` made.
#[pin_data]
pub(crate) struct HeldPin {
    /// Names it in ioctls; never used twice.
    pub(crate) id: u64,
    /// The lease under which it was made.
    pub(crate) lease: u64,
    /// Whether its holder says by MARK what the device wrote.
    pub(crate) marked: bool,
    pages: Pinned,
    /// `None` if its holder marks.
    written: Option<Arc<Written>>,
    /// Its lease's.
    pub(crate) activity: Arc<Activity>,
    #[pin]
    users: Mutex<Users>,
    /// Dropped after the pages.
    place: Place,
}

/// Where the arbiter knows the pin. Dropping says that its pages are unpinned.
struct Place {
    file: Arc<LeasedFile>,
    key: PinKey,
    /// What must stay where it is: the pages, and the rest of their folios.
    footprint: PageRange,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut arbiter = self.file.arbiter.lock();
        let was_there = arbiter.unpinned(self.key, self.footprint);
        let unused = arbiter.is_unused();
        drop(arbiter);
        if was_there {
            self.file.changed.wake_all();
        }
        if unused {
            tick::look_soon();
        }
    }
}

/// Who uses the pin.
struct Users {
    list: KVec<Arc<dyn User>>,
    door: Door,
}

/// Whether users may come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    Open,
    /// Somebody unpins, and may fail.
    Unpinning,
    /// Never again.
    Closed,
}

impl HeldPin {
    pub(crate) fn new(
        id: u64,
        lease: &Lease,
        file: Arc<LeasedFile>,
        marked: bool,
        pages: Pinned,
    ) -> Result<Arc<Self>> {
        let (lease, activity) = (lease.id, lease.activity.clone());
        let place = Place {
            file,
            key: (lease, id),
            footprint: pages.footprint(),
        };
        let written = (!marked).then(|| Written::new(pages.range())).transpose()?;
        Arc::pin_init(
            try_pin_init!(Self {
                id,
                lease,
                marked,
                pages,
                written,
                activity,
                users <- new_mutex!(Users { list: KVec::new(), door: Door::Open }),
                place,
            }),
            GFP_KERNEL,
        )
    }

    pub(crate) fn pages(&self) -> &Pinned {
        &self.pages
    }

    pub(crate) fn range(&self) -> PageRange {
        self.pages.range()
    }

    /// What was written of its pages.
    pub(crate) fn written(&self) -> Option<&Arc<Written>> {
        self.written.as_ref()
    }

    /// A page may have been made clean before others knew of the pin.
    pub(crate) fn doubt(&self) {
        if let Some(written) = &self.written {
            written.doubt();
        }
    }

    /// Whether all pages are as dirty as when they were pinned, and in the file: whatever a device wrote
    /// until now is going to be written. A page is made clean before its snapshot is taken, and that
    /// is known here before it: what comes too late for the snapshot finds it known.
    pub(crate) fn is_all_dirty(&self) -> bool {
        let written = self.written.as_ref();
        written.is_some_and(|written| written.all_dirty())
            && self.pages.check(&self.place.file).is_ok()
    }

    pub(crate) fn footprint(&self) -> PageRange {
        self.place.footprint
    }

    /// Adds a user. Errors: `ENODEV` when the pin is going away, `ENOMEM`. May sleep.
    pub(crate) fn add_user(&self, user: Arc<dyn User>) -> Result {
        let mut users = self.users.lock();
        if users.door != Door::Open {
            return Err(ENODEV);
        }
        users.list.push(user, GFP_KERNEL)?;
        Ok(())
    }

    /// Takes a user out. May sleep.
    pub(crate) fn remove_user<U: ?Sized>(&self, gone: &U) {
        let mut users = self.users.lock();
        let place = users
            .list
            .iter()
            .position(|user| core::ptr::addr_eq(&**user, gone));
        let removed = place.and_then(|place| users.list.remove(place).ok());
        drop(users);
        drop(removed);
    }

    /// Lets no more users in. Errors: `EBUSY` when there is one, `ENOENT` when somebody else is
    /// ending the pin. May sleep.
    pub(crate) fn close_if_unused(&self) -> Result {
        let mut users = self.users.lock();
        if users.door != Door::Open {
            return Err(ENOENT);
        }
        if !users.list.is_empty() {
            return Err(EBUSY);
        }
        users.door = Door::Unpinning;
        Ok(())
    }

    /// Undoes [`close_if_unused`](Self::close_if_unused). May sleep.
    pub(crate) fn reopen(&self) {
        let mut users = self.users.lock();
        if users.door == Door::Unpinning {
            users.door = Door::Open;
        }
    }

    /// Takes the pages away from every user; false when some could not let go of them. May sleep, and
    /// calls them.
    pub(crate) fn revoke_users(&self) -> bool {
        let mut place = 0;
        loop {
            // Not under the lock: who lets go takes it.
            let next = {
                let mut users = self.users.lock();
                users.door = Door::Closed;
                users.list.get(place).cloned()
            };
            let Some(user) = next else {
                return place == 0;
            };
            if user.revoke() {
                self.remove_user(&*user);
            } else {
                place += 1;
            }
        }
    }
}
