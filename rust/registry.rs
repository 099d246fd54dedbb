// SPDX-License-Identifier: GPL-2.0

//! Which files are leased: what every hook asks first.
//!
//! Lock order: [`CHANGES`] (a mutex: leases come and go) outside of everything else of ours;
//! [`FILES`] (a spinlock: look-up) inside of everything.

use crate::{leased_file::LeasedFile, policy::limits::Quota, sys::super_block::SuperBlock};
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
}

global_lock! {
    // SAFETY: Initialized in `init`, before first use.
    pub(crate) unsafe(uninit) static CHANGES: Mutex<Changes> = Changes { users: None };
}

global_lock! {
    // SAFETY: Initialized in `init`, before first use.
    unsafe(uninit) static FILES: SpinLock<Option<RBTree<usize, Arc<LeasedFile>>>> = None;
}

/// Number of leased files, to look at without the lock.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Prepares the registry. Once, before anything else here.
pub(crate) fn init() {
    // SAFETY: Called once, when the module is loaded.
    unsafe {
        CHANGES.init();
        FILES.init();
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

impl Changes {
    /// Adds a file. May sleep.
    pub(crate) fn insert(&mut self, file: Arc<LeasedFile>) -> Result {
        let node = RBTreeNode::new(file.key(), file, GFP_KERNEL)?;
        FILES.lock().get_or_insert_with(RBTree::new).insert(node);
        COUNT.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Takes a file out.
    pub(crate) fn remove(&mut self, file: &LeasedFile) {
        let removed = FILES
            .lock()
            .as_mut()
            .and_then(|files| files.remove(&file.key()));
        if removed.is_some() {
            COUNT.fetch_sub(1, Ordering::Relaxed);
        }
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
