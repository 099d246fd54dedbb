// SPDX-License-Identifier: GPL-2.0

//! One pin of a lease, and the drivers that use it.

use crate::{
    arbiter::PinKey, attach::Attachment, gup::Pinned, leased_file::LeasedFile,
    policy::range::PageRange, tick, written::Written,
};
use kernel::{new_mutex, prelude::*, sync::Arc, sync::Mutex};

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

/// Drivers that use the pin.
struct Users {
    attachments: KVec<Arc<Attachment>>,
    door: Door,
}

/// Whether drivers may come.
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
        lease: u64,
        file: Arc<LeasedFile>,
        marked: bool,
        pages: Pinned,
    ) -> Result<Arc<Self>> {
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
                users <- new_mutex!(Users { attachments: KVec::new(), door: Door::Open }),
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

    pub(crate) fn footprint(&self) -> PageRange {
        self.place.footprint
    }

    /// Adds a driver. Errors: `ENODEV` when the pin is going away, `ENOMEM`. May sleep.
    pub(crate) fn add_user(&self, attachment: Arc<Attachment>) -> Result {
        let mut users = self.users.lock();
        if users.door != Door::Open {
            return Err(ENODEV);
        }
        users.attachments.push(attachment, GFP_KERNEL)?;
        Ok(())
    }

    /// Takes a driver out. May sleep.
    pub(crate) fn remove_user(&self, attachment: &Attachment) {
        self.users
            .lock()
            .attachments
            .retain(|user| !core::ptr::eq(&**user, attachment));
    }

    /// Lets no more drivers in. Errors: `EBUSY` when there is one, `ENOENT` when somebody else is
    /// ending the pin. May sleep.
    pub(crate) fn close_if_unused(&self) -> Result {
        let mut users = self.users.lock();
        if users.door != Door::Open {
            return Err(ENOENT);
        }
        if !users.attachments.is_empty() {
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

    /// Stops every driver. May sleep, and calls them.
    pub(crate) fn revoke_users(&self) {
        let attachments = {
            let mut users = self.users.lock();
            users.door = Door::Closed;
            core::mem::take(&mut users.attachments)
        };
        for attachment in &attachments {
            attachment.revoke();
        }
    }
}
