// SPDX-License-Identifier: GPL-2.0

//! System calls that are begun anew: where an operation meets a lease with locks held that others
//! need, it fails; everything unwinds to a place where nothing is held, the breaker waits there,
//! and the call is made again.

use crate::{
    breaker,
    conflict::{Place, Registered},
    policy::lease_state::Patience,
    sys::{freeze::Level, operation_section::Section, task},
};
use kernel::{
    global_lock, new_mutex,
    prelude::*,
    rbtree::{RBTree, RBTreeNode},
    sync::{Arc, Mutex},
};

/// Which call is begun anew.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// truncate(2) and the like.
    Truncate,
    /// swapon(2).
    Swapon,
    /// Two files exchange ranges.
    Exchange,
}

/// What a task found out in a call that can be begun anew. Only that task uses it.
#[pin_data]
pub(crate) struct Attempt {
    task: usize,
    call: Call,
    patience: Patience,
    #[pin]
    breakers: Mutex<Breakers>,
}

struct Breakers {
    registered: KVec<Registered>,
    /// Has to be waited for.
    pending: Option<Registered>,
}

global_lock! {
    // SAFETY: Initialized in `init`, before first use.
    unsafe(uninit) static ATTEMPTS: SpinLock<Option<RBTree<usize, Arc<Attempt>>>> = None;
}

/// Once, before anything else here.
pub(crate) fn init() {
    // SAFETY: Called once, when the module is loaded.
    unsafe { ATTEMPTS.init() };
}

/// The current task's attempt.
pub(crate) fn current() -> Option<Arc<Attempt>> {
    ATTEMPTS.lock().as_ref()?.get(&task::key()).cloned()
}

/// Makes the call, and waits and makes it again as often as it met a lease; `failed` makes an
/// error its result. The caller holds nothing but `level`, and can be called anew. May sleep long.
pub(crate) fn run<R>(
    kind: Call,
    nonblocking: bool,
    level: Option<Level<'_>>,
    mut call: impl FnMut() -> R,
    failed: impl FnOnce(Error) -> R,
) -> R {
    // Without one, leases are not waited for, but refuse.
    let Ok(attempt) = Listed::new(kind, breaker::patience(nonblocking)) else {
        return call();
    };
    loop {
        let section = Section::enter();
        let result = call();
        drop(section);
        let Some(breaker) = attempt.0.take_pending() else {
            return result;
        };
        let waited = match level {
            Some(level) => level.without(|| breaker.wait()),
            None => breaker.wait(),
        };
        if let Err(error) = waited.and_then(|()| attempt.0.keep_waited(breaker)) {
            return failed(error);
        }
    }
}

/// An attempt that is in the list.
struct Listed(Arc<Attempt>);

impl Listed {
    /// Errors: `EBUSY` the task has one, `ENOMEM`.
    fn new(call: Call, patience: Patience) -> Result<Self> {
        let task = task::key();
        let attempt = Arc::pin_init(
            pin_init!(Attempt {
                task,
                call,
                patience,
                breakers <- new_mutex!(Breakers { registered: KVec::new(), pending: None }),
            }),
            GFP_KERNEL,
        )?;
        let node = RBTreeNode::new(task, attempt.clone(), GFP_KERNEL)?;
        if current().is_some() {
            return Err(EBUSY);
        }
        ATTEMPTS.lock().get_or_insert_with(RBTree::new).insert(node);
        Ok(Self(attempt))
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut attempts = ATTEMPTS.lock();
        let listed = attempts
            .as_mut()
            .and_then(|attempts| attempts.remove(&self.0.task));
        drop(attempts);
        drop(listed);
    }
}

impl Attempt {
    pub(crate) fn is(&self, call: Call) -> bool {
        self.call == call
    }

    pub(crate) fn patience(&self) -> Patience {
        self.patience
    }

    /// Whether the way is free for this place, because it was waited for.
    pub(crate) fn passes(&self, place: &Place<'_>) -> bool {
        let breakers = self.breakers.lock();
        let passes = breakers
            .registered
            .iter()
            .any(|breaker| breaker.covers(place));
        drop(breakers);
        passes
    }

    /// Keeps a breaker until the call is over. Errors: `EAGAIN` when it has to be waited for first,
    /// `ENOMEM`.
    pub(crate) fn keep(&self, breaker: Registered) -> Result {
        let mut breakers = self.breakers.lock();
        if !breaker.waits() {
            breakers.registered.push(breaker, GFP_KERNEL)?;
            return Ok(());
        }
        let before = breakers.pending.replace(breaker);
        drop(breakers);
        drop(before);
        Err(EAGAIN)
    }

    fn take_pending(&self) -> Option<Registered> {
        self.breakers.lock().pending.take()
    }

    fn keep_waited(&self, breaker: Registered) -> Result {
        self.breakers.lock().registered.push(breaker, GFP_KERNEL)?;
        Ok(())
    }
}
