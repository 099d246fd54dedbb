// SPDX-License-Identifier: GPL-2.0

//! One pin of a lease, and the drivers that use it.

use crate::{attach::Attachment, gup::Pinned, policy::range::PageRange};
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
    /// What must stay where it is: the pages, and the rest of their folios.
    footprint: PageRange,
    #[pin]
    users: Mutex<Users>,
}

/// Drivers that use the pin.
struct Users {
    attachments: KVec<Arc<Attachment>>,
    /// No more may come.
    closed: bool,
}

impl HeldPin {
    pub(crate) fn new(id: u64, lease: u64, marked: bool, pages: Pinned) -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                id,
                lease,
                marked,
                footprint: pages.footprint(),
                pages,
                users <- new_mutex!(Users { attachments: KVec::new(), closed: false }),
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

    pub(crate) fn footprint(&self) -> PageRange {
        self.footprint
    }

    /// Adds a driver. Errors: `ENODEV` when the pin is going away, `ENOMEM`. May sleep.
    pub(crate) fn add_user(&self, attachment: Arc<Attachment>) -> Result {
        let mut users = self.users.lock();
        if users.closed {
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
        if users.closed {
            return Err(ENOENT);
        }
        if !users.attachments.is_empty() {
            return Err(EBUSY);
        }
        users.closed = true;
        Ok(())
    }

    /// Undoes [`close_if_unused`](Self::close_if_unused). May sleep.
    pub(crate) fn reopen(&self) {
        self.users.lock().closed = false;
    }

    /// Stops every driver. May sleep, and calls them.
    pub(crate) fn revoke_users(&self) {
        let attachments = {
            let mut users = self.users.lock();
            users.closed = true;
            core::mem::take(&mut users.attachments)
        };
        for attachment in &attachments {
            attachment.revoke();
        }
    }
}
