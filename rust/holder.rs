// SPDX-License-Identifier: GPL-2.0

//! Who holds a lease: the process that acquired it, whoever has copies of the descriptor.

use crate::sys::{
    process::{Process, Sender},
    task,
};
use kernel::{prelude::*, task::Kuid};

/// The process that acquired a lease, as it was then.
pub(crate) struct Holder {
    pub(crate) process: Process,
    pub(crate) user: Kuid,
    /// Whether it may make other users wait without end (CAP_SYS_RESOURCE).
    pub(crate) privileged: bool,
    sender: Sender,
}

impl Holder {
    /// The current process.
    pub(crate) fn current() -> Self {
        Self {
            process: Process::current(),
            user: Kuid::current_euid(),
            privileged: task::has_cap_sys_resource(),
            sender: Sender::current(),
        }
    }

    /// Kills it, as kill(2) by itself when it acquired the lease would.
    ///
    /// Errors: `ESRCH` it is gone, `EPERM` it became somebody else by a set-uid program.
    pub(crate) fn kill(&self) -> Result {
        self.process.kill(&self.sender)
    }
}
