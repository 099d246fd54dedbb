// SPDX-License-Identifier: GPL-2.0
//! Commands that are wrong in one way: there is just one answer to each.

use nix::errno::Errno;

use super::{Effect, Model, Plan};
use crate::{
    call::Call,
    expected::Expected,
    operation::{Actor, Malformed},
};

/// Commands by their numbers, as in `pinlease.h`.
pub const COMMANDS: u8 = 9;

/// Whether the command belongs on the device, not on a lease.
pub fn is_of_device(command: u8) -> bool {
    matches!(command, 0 | 6 | 7)
}

impl Model {
    pub(super) fn plan_hostile(
        &self,
        actor: Actor,
        handle: u8,
        command: u8,
        how: Malformed,
    ) -> Option<Plan> {
        let command = command % COMMANDS;
        let on_device = is_of_device(command) != (how == Malformed::WrongDescriptor);
        let fd = match on_device {
            true => self.setting.device,
            false => self.handle(actor, handle)?.0,
        };
        let errno = match how {
            Malformed::BadAddress => Errno::EFAULT,
            Malformed::TooSmall | Malformed::Reserved => Errno::EINVAL,
            Malformed::TooLarge | Malformed::NonzeroTail => Errno::E2BIG,
            Malformed::WrongNumber | Malformed::WrongType | Malformed::WrongDescriptor => {
                Errno::ENOTTY
            }
        };
        // QUERY has no reserved field that is read.
        if command == 4 && how == Malformed::Reserved {
            return None;
        }
        let call = Call::Hostile { fd, command, how };
        Some(Plan::new(
            call,
            Expected::failure(&[errno]),
            Effect::Nothing,
        ))
    }
}
