// SPDX-License-Identifier: GPL-2.0

//! Which files are leased: what every hook asks first.
//!
//! Lock order: [`CHANGES`] (a mutex: leases come and go) outside of everything else of ours;
//! [`FILES`] (a spinlock: look-up) inside of everything.

use crate::{
    lease::Lease, leased_file::LeasedFile, policy::limits::Quota, sys::super_block::SuperBlock,
};
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel::{
    global_lock,
    prelude::*,
    rbtree::{RBTree, RBTreeNode},
    sync::Arc,
    task::Kuid,
};

/// What changes when leases come and go.
pub(crate) struct Changes {
    users: Option<RBTree<u32, Quota>>,
    /// Whether the administrator lets no new leases in.
    closed: bool,
}

global_lock! {
    // SAFETY: Initialized in `init`, before first use.
    pub(crate) unsafe(uninit) static CHANGES: Mutex<Changes> = Changes { users: None, closed: false };
}

global_lock! {
    // SAFETY: Initialized in `init`, before first use.
    unsafe(uninit) static FILES: SpinLock<Option<RBTree<usize, Arc<LeasedFile>>>> = None;
}

global_lock! {
    // SAFETY: Initialized in `init`, before first use.
    unsafe(uninit) static LEASES: SpinLock<Option<RBTree<u64, Arc<Lease>>>> = None;
}

/// Number of leased files, to look at without the lock.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Prepares the registry. Once, before anything else here.
pub(crate) fn init() {
    // SAFETY: Called once, when the module is loaded.
    unsafe {
        CHANGES.init();
        FILES.init();
        LEASES.init();
    }
}

/// Whether no file is leased.
pub(crate) fn is_empty() -> bool {
    COUNT.load(Ordering::Relaxed) == 0
}

/// The leased file with this mapping. Any context that may take a spinlock, but no interrupt.
pub(crate) fn find(mapping_key: usize) -> Option<Arc<LeasedFile>> {
    if is_empty() {
        return None;
    }
    FILES.lock().as_ref()?.get(&mapping_key).cloned()
}

/// All leased files, as they are met one after the other.
pub(crate) fn files() -> impl Iterator<Item = Arc<LeasedFile>> {
    let mut after = 0;
    core::iter::from_fn(move || {
        let files = FILES.lock();
        let file = files
            .as_ref()?
            .cursor_lower_bound(&(after + 1))?
            .current()
            .1
            .clone();
        drop(files);
        after = file.key();
        Some(file)
    })
}

/// The leased files of one filesystem.
pub(crate) fn files_of(super_block: &SuperBlock) -> impl Iterator<Item = Arc<LeasedFile>> + '_ {
    files().filter(|file| core::ptr::eq(file.super_block(), super_block))
}

/// Makes a lease known by its id. May sleep. Errors: `ENOMEM`.
pub(crate) fn name(lease: &Arc<Lease>) -> Result {
    let node = RBTreeNode::new(lease.id, lease.clone(), GFP_KERNEL)?;
    LEASES.lock().get_or_insert_with(RBTree::new).insert(node);
    Ok(())
}

/// Undoes [`name`].
pub(crate) fn forget(lease: u64) {
    let forgotten = LEASES
        .lock()
        .as_mut()
        .and_then(|leases| leases.remove(&lease));
    drop(forgotten);
}

/// The lease with the next higher id.
pub(crate) fn lease_after(id: u64) -> Option<Arc<Lease>> {
    let leases = LEASES.lock();
    let cursor = leases.as_ref()?.cursor_lower_bound(&id.checked_add(1)?)?;
    let lease = cursor.current().1.clone();
    drop(leases);
    Some(lease)
}

/// Takes out the files that have neither leases nor pins nor breakers any more. May sleep.
pub(crate) fn sweep() {
    let mut changes = CHANGES.lock();
    for file in files() {
        changes.remove_if_unused(&file);
    }
}

impl Changes {
    /// Whether no new leases are let in.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Lets new leases in, or not.
    pub(crate) fn set_closed(&mut self, closed: bool) {
        if self.closed != closed {
            pr_info!(
                "new leases are {}\n",
                if closed { "refused" } else { "allowed" }
            );
        }
        self.closed = closed;
    }

    /// Adds a file. May sleep.
    pub(crate) fn insert(&mut self, file: Arc<LeasedFile>) -> Result {
        let node = RBTreeNode::new(file.key(), file, GFP_KERNEL)?;
        FILES.lock().get_or_insert_with(RBTree::new).insert(node);
        COUNT.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Takes a file out that has neither leases nor pins nor breakers any more. May sleep.
    pub(crate) fn remove_if_unused(&mut self, file: &LeasedFile) {
        // With `self` nobody leases it; a breaker that finds it until it is taken out sees that
        // there is no lease.
        if !file.arbiter.lock().is_unused() {
            return;
        }
        let mut files = FILES.lock();
        // It may have been taken out before, and the same inode be leased anew.
        let is_known = files
            .as_ref()
            .and_then(|files| files.get(&file.key()))
            .is_some_and(|known| core::ptr::eq(&**known, file));
        let removed = match files.as_mut() {
            Some(files) if is_known => files.remove(&file.key()),
            _ => None,
        };
        drop(files);
        if removed.is_some() {
            COUNT.fetch_sub(1, Ordering::Relaxed);
            file.end();
        }
        drop(removed);
    }

    /// Counts a lease of `user`. Errors: `EDQUOT` above `limit`, `ENOMEM`. May sleep.
    pub(crate) fn charge(&mut self, user: Kuid, limit: u64) -> Result {
        let users = self.users.get_or_insert_with(RBTree::new);
        let uid = user.into_raw().val;
        if users.get(&uid).is_none() {
            users.try_create_and_insert(uid, Quota::default(), GFP_KERNEL)?;
        }
        let quota = users.get_mut(&uid).ok_or(ENOMEM)?;
        quota.take(limit).map_err(|_| EDQUOT)
    }

    /// Undoes [`charge`](Self::charge).
    pub(crate) fn uncharge(&mut self, user: Kuid) {
        let uid = user.into_raw().val;
        if let Some(users) = self.users.as_mut() {
            if users.get_mut(&uid).is_some_and(Quota::give_back) {
                users.remove(&uid);
            }
        }
    }
}
