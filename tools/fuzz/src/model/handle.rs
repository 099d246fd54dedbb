// SPDX-License-Identifier: GPL-2.0
//! Descriptors of leases, and of watches.

use std::os::fd::RawFd;

use nix::errno::Errno;

use super::{Effect, EngineState, Events, Lease, Model, Plan};
use crate::{
    call::{Call, Outcome},
    expected::Expected,
    operation::Actor,
};

/// A descriptor of a lease.
#[derive(Clone, Copy, Debug)]
pub struct Handle {
    pub(crate) actor: Actor,
    pub(crate) fd: RawFd,
    pub(crate) lease: u32,
}

impl Model {
    /// Number `index` of the actor's descriptors of leases, with its lease.
    pub(super) fn handle(&self, actor: Actor, index: u8) -> Option<(RawFd, &Lease)> {
        let handle = Self::nth(&self.handles, |handle| handle.actor == actor, index)?;
        let handle = &self.handles[handle];
        Some((handle.fd, self.lease(handle.lease)?))
    }

    pub(super) fn plan_close(&self, actor: Actor, handle: u8) -> Option<Plan> {
        let (fd, _) = self.handle(actor, handle)?;
        let call = Call::Close { fd };
        Some(Plan::new(
            call,
            Expected::SUCCESS,
            Effect::Closed(actor, fd),
        ))
    }

    pub(super) fn plan_duplicate(&self, actor: Actor, handle: u8) -> Option<Plan> {
        let (fd, lease) = self.handle(actor, handle)?;
        let effect = Effect::Copied(actor, lease.key);
        Some(Plan::new(Call::Duplicate { fd }, Expected::SUCCESS, effect))
    }

    pub(super) fn plan_send(&self, actor: Actor, handle: u8) -> Option<Plan> {
        let (fd, lease) = self.handle(actor, handle)?;
        let effect = Effect::Copied(actor.other(), lease.key);
        Some(Plan::new(Call::Send { fd }, Expected::SUCCESS, effect))
    }

    pub(super) fn plan_read(&self, actor: Actor, handle: u8) -> Option<Plan> {
        let (fd, lease) = self.handle(actor, handle)?;
        let nothing = Expected::failure(&[Errno::EAGAIN]);
        let expected = match lease.events {
            Events::None => nothing,
            Events::Perhaps => Expected::SUCCESS.union(nothing),
            Events::Some => Expected::SUCCESS,
        };
        Some(Plan::new(
            Call::Read { fd },
            expected,
            Effect::Read(lease.key),
        ))
    }

    pub(super) fn plan_signals(&self, actor: Actor, handle: u8, on: bool) -> Option<Plan> {
        let (fd, _) = self.handle(actor, handle)?;
        let call = Call::Signals { fd, on };
        Some(Plan::new(call, Expected::SUCCESS, Effect::Nothing))
    }

    pub(super) fn copied(&mut self, actor: Actor, lease: u32, outcome: &Outcome) {
        self.handles.push(Handle {
            actor,
            fd: outcome.value as RawFd,
            lease,
        });
    }

    /// True when that was the last one, and the lease ended.
    pub(super) fn closed(&mut self, actor: Actor, fd: RawFd) {
        let mut handles = self.handles.iter();
        let Some(index) = handles.position(|handle| handle.actor == actor && handle.fd == fd)
        else {
            return;
        };
        let key = self.handles.swap_remove(index).lease;
        if self.handles.iter().any(|handle| handle.lease == key) {
            return;
        }
        if let Some(index) = self.leases.iter().position(|lease| lease.key == key) {
            let lease = self.leases.swap_remove(index);
            let pinned = self
                .leases
                .iter()
                .any(|other| other.file == lease.file && !other.pins.is_empty());
            let stays = self.revoke_buffers(key);
            if stays || lease.grant && (pinned || self.others_may_pin(lease.file)) {
                self.files[lease.file].drains = true;
            }
        }
        for engine in &mut self.engines {
            if matches!(engine.state, EngineState::Attached { lease, .. } if lease == key) {
                engine.state = EngineState::Revoked;
            }
        }
    }

    pub(super) fn read(&mut self, key: u32, outcome: &Outcome) {
        if let Some(lease) = self.lease_mut(key) {
            lease.events = match outcome.value as usize >= crate::executor::EVENTS_AT_ONCE {
                true => Events::Perhaps,
                false => Events::None,
            };
        }
    }

    pub(super) fn plan_watch(&self, actor: Actor) -> Option<Plan> {
        // Others have watches, too.
        let expected = Expected::SUCCESS.or(Errno::EMFILE);
        Some(Plan::new(Call::Watch, expected, Effect::Watches(actor)))
    }

    fn watch(&self, actor: Actor, watch: u8) -> Option<RawFd> {
        let index = Self::nth(&self.watches, |(of, _)| *of == actor, watch)?;
        Some(self.watches[index].1)
    }

    pub(super) fn plan_read_watch(&self, actor: Actor, watch: u8) -> Option<Plan> {
        let fd = self.watch(actor, watch)?;
        let expected = Expected::SUCCESS.or(Errno::EAGAIN);
        Some(Plan::new(Call::Read { fd }, expected, Effect::Nothing))
    }

    pub(super) fn plan_close_watch(&self, actor: Actor, watch: u8) -> Option<Plan> {
        let fd = self.watch(actor, watch)?;
        let call = Call::Close { fd };
        Some(Plan::new(
            call,
            Expected::SUCCESS,
            Effect::Unwatched(actor, fd),
        ))
    }
}
