// SPDX-License-Identifier: GPL-2.0
//! Keeping new leases out.

use std::os::fd::BorrowedFd;

use pinlease_uapi as uapi;

use crate::{
    command::{issue, size},
    QuiesceError,
};

/// How far it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quiescence {
    /// New leases are refused.
    pub no_new_leases: bool,
    /// No hook is installed.
    pub no_hooks: bool,
}

/// Issues the command with these flags.
pub(crate) fn quiesce(device: BorrowedFd<'_>, flags: u32) -> Result<Quiescence, QuiesceError> {
    let mut request = uapi::pinlease_quiesce {
        size: size::<uapi::pinlease_quiesce>(),
        flags,
        ..Default::default()
    };
    issue(device, &mut request)?;
    Ok(Quiescence {
        no_new_leases: request.state & uapi::PINLEASE_QUIESCED_LEASES != 0,
        no_hooks: request.state & uapi::PINLEASE_QUIESCED_HOOKS != 0,
    })
}
