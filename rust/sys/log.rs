// SPDX-License-Identifier: GPL-2.0

//! Messages that users can cause: some that an administrator can switch on by dynamic debug, the others
//! at most ten in five seconds each. Documentation/observing.rst lists them.

use super::{
    dma_buf::Attached,
    process::{Process, COMM_LEN},
};
use crate::bindings;
use kernel::prelude::*;

/// Says why a lease was refused: `echo module pinlease +p >/sys/kernel/debug/dynamic_debug/control`.
pub(crate) fn refusal(reason: &CStr) {
    // SAFETY: A string.
    unsafe { bindings::pinlease_log_refusal(reason.as_char_ptr()) };
}

/// Says which device was refused a dma-buf because it cannot be made to give it back.
pub(crate) fn importer(attached: &Attached) {
    // SAFETY: A device has a name, a string.
    unsafe { bindings::pinlease_log_importer(attached.device_name()) };
}

/// The first lease came, or the last one went.
pub(crate) fn hooks(installed: bool) {
    // SAFETY: Any context.
    unsafe { bindings::pinlease_log_hooks(installed) };
}

/// Something else modifies a function that has to be hooked.
pub(crate) fn hook_taken() {
    // SAFETY: Any context.
    unsafe { bindings::pinlease_log_hook_taken() };
}

/// ftrace does not want the hooks.
pub(crate) fn hook_refused(error: c_int) {
    // SAFETY: Any context.
    unsafe { bindings::pinlease_log_hook_refused(error) };
}

/// The kernel lacks a function.
pub(crate) fn no_function(name: &str) {
    // SAFETY: The name has that length.
    unsafe { bindings::pinlease_log_no_function(name.as_ptr().cast(), name.len()) };
}

/// The holder of a lease was killed by its policy; `name`: its name before that.
pub(crate) fn killed(holder: &Process, name: [u8; COMM_LEN], lease: u64) {
    let number = holder.former_number();
    // SAFETY: The name ends with a zero.
    unsafe { bindings::pinlease_log_killed(number, name.as_ptr().cast(), lease) };
}

/// The holder should be killed, but cannot be.
pub(crate) fn not_killed(holder: &Process, lease: u64, error: Error) {
    let (number, error) = (holder.former_number(), error.to_errno());
    // SAFETY: Any context.
    unsafe { bindings::pinlease_log_not_killed(number, lease, error) };
}

/// Pins are taken away from the holder of a lease by its policy.
pub(crate) fn revoked(holder: &Process, lease: u64) {
    let (number, name) = (holder.former_number(), holder.name());
    // SAFETY: The name ends with a zero.
    unsafe { bindings::pinlease_log_revoked(number, name.as_ptr().cast(), lease) };
}
