// SPDX-License-Identifier: GPL-2.0
//! How SIGPIPE was to be handled when the program started.
//!
//! Rust's runtime ignores it before main(), and with it goes what was
//! inherited; a program that this one becomes has a right to that.

use std::{
    mem::MaybeUninit,
    sync::atomic::{AtomicBool, Ordering},
};

use nix::{
    libc,
    sys::signal::{signal, SigHandler, Signal},
};

static IGNORED: AtomicBool = AtomicBool::new(false);

/// Called by the C library, before Rust's runtime begins.
#[used]
#[link_section = ".init_array"]
static BEFORE_MAIN: extern "C" fn() = remember;

extern "C" fn remember() {
    let mut present = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action the call changes nothing, and fills in the
    // present one.
    let result = unsafe { libc::sigaction(libc::SIGPIPE, std::ptr::null(), present.as_mut_ptr()) };
    if result == 0 {
        // SAFETY: filled in, as the call succeeded.
        let present = unsafe { present.assume_init() };
        IGNORED.store(present.sa_sigaction == libc::SIG_IGN, Ordering::Relaxed);
    }
}

/// From now on the process ends quietly when the reader of a pipe is gone, as
/// other commands do.
pub fn end_quietly() {
    set(SigHandler::SigDfl);
}

/// From now on SIGPIPE is handled as it was to be when the program started.
pub fn as_inherited() {
    if IGNORED.load(Ordering::Relaxed) {
        set(SigHandler::SigIgn);
    } else {
        set(SigHandler::SigDfl);
    }
}

fn set(action: SigHandler) {
    // SAFETY: neither action is a handler that could do anything unsafe.
    let result = unsafe { signal(Signal::SIGPIPE, action) };
    // Nothing but a signal that does not exist is an error.
    debug_assert!(result.is_ok());
}
