// SPDX-License-Identifier: GPL-2.0

//! The current task.

use crate::bindings;
use kernel::task::Kuid;

/// Whether it may sleep on behalf of its caller: it is no kernel thread, is not exiting or dumping
/// core, and acts with its own credentials (a stacked filesystem, which holds locks, does not).
pub(crate) fn may_wait() -> bool {
    // SAFETY: Task context.
    unsafe { bindings::pinlease_current_may_wait() }
}

/// Whether it is a worker of io_uring, which does not know ERESTARTSYS.
pub(crate) fn is_io_worker() -> bool {
    // SAFETY: Task context.
    unsafe { bindings::pinlease_current_is_io_worker() }
}

/// Whether a fatal signal is pending.
pub(crate) fn is_dying() -> bool {
    // SAFETY: Task context.
    unsafe { bindings::pinlease_current_is_dying() }
}

/// CAP_SYS_RESOURCE in the first user namespace.
pub(crate) fn has_cap_sys_resource() -> bool {
    // SAFETY: Task context.
    unsafe { bindings::pinlease_capable_resource() }
}

/// CAP_SYS_ADMIN in the first user namespace.
pub(crate) fn has_cap_sys_admin() -> bool {
    // SAFETY: Task context.
    unsafe { bindings::pinlease_capable_admin() }
}

/// The number of a user in the current user namespace, or the overflow user where it has none.
pub(crate) fn shown_uid(user: Kuid) -> u32 {
    // SAFETY: Task context; the function takes any number.
    unsafe { bindings::pinlease_shown_uid(user.into_raw().val) }
}

/// Lets others run, if it ran long. May sleep.
pub(crate) fn reschedule() {
    // SAFETY: The caller may sleep.
    unsafe { bindings::pinlease_cond_resched() };
}

/// What tells it from other tasks that run.
pub(crate) fn key() -> usize {
    // SAFETY: Any context; the pointer is only compared.
    unsafe { bindings::pinlease_current() as usize }
}
