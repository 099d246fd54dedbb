// SPDX-License-Identifier: GPL-2.0
//! Leases: ACQUIRE, SHRINK, QUERY, MARK.

use std::ops::Range;

use nix::errno::Errno;
use pinlease::uapi;

use super::{file, Effect, Model, Plan};
use crate::{
    call::{Call, Outcome, Queried},
    expected::Expected,
    operation::{Actor, Grace, Open, Operation, FILES, PAGE},
};

/// Milliseconds that everybody may make others wait.
const GRACE_MAX: u32 = 60_000;

/// Whether a lease is good for something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Life {
    /// It is.
    Valid,
    /// Its policy may have acted.
    Doubtful,
    /// Its policy has acted; its pins go or are gone.
    Withdrawn,
}

/// Whether events wait to be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Events {
    /// None.
    None,
    /// Who knows.
    Perhaps,
    /// One at least.
    Some,
}

/// A pin.
#[derive(Clone, Debug)]
pub struct Pin {
    /// What the kernel calls it.
    pub id: u64,
    /// Its pages in the file.
    pub pages: Range<u64>,
    /// Who made it, and is charged.
    pub by: Actor,
}

/// A lease.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Names it in the model.
    pub key: u32,
    pub(crate) file: usize,
    pub(crate) pages: Range<u64>,
    pub(crate) policy: u32,
    pub(crate) short: bool,
    pub(crate) grant: bool,
    pub(crate) holder: Actor,
    pub(crate) pins: Vec<Pin>,
    pub(crate) life: Life,
    /// What the first breaker that comes back wants.
    pub(crate) standing: Option<Range<u64>>,
    /// It lets breakers pass until it pins anew.
    pub(crate) yields: bool,
    /// Whether these two are not certain.
    pub(crate) vague: bool,
    pub(crate) events: Events,
}

impl Lease {
    /// Whether one of its pins is in the way there.
    pub(crate) fn pinned(&self, pages: &Range<u64>) -> bool {
        self.pins.iter().any(|pin| overlap(&pin.pages, pages))
    }

    /// What a command on it may say that needs a valid lease and else `fails`.
    pub(crate) fn valid_unless(&self, fails: &[(bool, Errno)]) -> Expected {
        let withdrawn = Expected::failure(&[Errno::ENODEV]);
        match self.life {
            Life::Valid => Expected::unless(fails),
            Life::Doubtful => Expected::unless(fails).union(withdrawn),
            // Whichever is looked for first.
            Life::Withdrawn => fails
                .iter()
                .filter(|(holds, _)| *holds)
                .fold(withdrawn, |set, &(_, errno)| set.or(errno)),
        }
    }

    /// Something may have been told.
    pub(crate) fn perhaps_told(&mut self) {
        if self.events == Events::None {
            self.events = Events::Perhaps;
        }
    }
}

/// Whether two ranges have something in common.
pub(crate) fn overlap(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}

impl Model {
    pub(super) fn plan_acquire(&self, actor: Actor, operation: Operation) -> Option<Plan> {
        let Operation::Acquire {
            file,
            open,
            first,
            pages,
            policy,
            grace,
            grant,
            unaligned,
        } = operation
        else {
            return None;
        };
        let file = usize::from(file) % FILES;
        let descriptors = &self.setting.descriptors[file];
        let fd = match open {
            Open::Both => descriptors.both,
            Open::Read => descriptors.read,
            Open::Write => descriptors.write,
            Open::Pipe => self.setting.pipe,
            Open::No => -1,
        };
        let policy = u32::from(policy) % 5;
        // Killing is not for those whom the test needs.
        let short = grace == Grace::Short && policy == uapi::PINLEASE_POLICY_REVOKE;
        let grace_ms = match grace {
            Grace::Default => 0,
            Grace::Short if short => 1,
            Grace::Short | Grace::Long => GRACE_MAX,
            Grace::TooLong => GRACE_MAX + 1,
        };
        let (first, size) = (u64::from(first), self.files[file].size);
        let offset = first * PAGE + u64::from(unaligned) * 512;
        let length = u64::from(pages) * PAGE;
        let end = match pages {
            0 => self.files[file].pages().max(first),
            pages => first + u64::from(pages),
        };
        let usable = open == Open::Both;
        let nothing = if pages == 0 { size <= offset } else { false };
        let expected = Expected::unless(&[
            (
                matches!(open, Open::Read | Open::Write | Open::No),
                Errno::EBADF,
            ),
            (open == Open::Pipe || unaligned || policy > 3, Errno::EINVAL),
            (usable && nothing, Errno::EINVAL),
            (usable && end > self.files[file].pages(), Errno::ENXIO),
            (
                grace == Grace::TooLong && actor == Actor::Partner,
                Errno::EPERM,
            ),
            (usable && !file::may_lease(actor, file), Errno::EACCES),
            (
                policy == uapi::PINLEASE_POLICY_REVOKE && grant,
                Errno::EOPNOTSUPP,
            ),
        ]);
        let expected = match grant && actor == Actor::Partner {
            true => self.unless_memlock(expected, grant_pages(end - first)),
            false => expected,
        };
        let call = Call::Acquire {
            flags: if grant {
                uapi::PINLEASE_ACQUIRE_GRANT
            } else {
                0
            },
            fd,
            policy,
            offset,
            length,
            grace_ms,
        };
        let lease = Lease {
            key: self.next_lease,
            file,
            pages: first..end,
            policy,
            short,
            grant,
            holder: actor,
            pins: Vec::new(),
            life: Life::Valid,
            standing: None,
            yields: false,
            vague: false,
            events: Events::None,
        };
        Some(Plan::new(call, expected, Effect::Acquired(Box::new(lease))))
    }

    pub(super) fn plan_shrink(
        &self,
        actor: Actor,
        handle: u8,
        first: u8,
        pages: u8,
    ) -> Option<Plan> {
        let (fd, lease) = self.handle(actor, handle)?;
        let new = u64::from(first)..u64::from(first) + u64::from(pages);
        let inside = lease.pages.start <= new.start && new.end <= lease.pages.end;
        let pinned = lease
            .pins
            .iter()
            .any(|pin| pin.pages.start < new.start || new.end < pin.pages.end);
        let mut expected = lease.valid_unless(&[
            (new.is_empty(), Errno::EINVAL),
            (!inside, Errno::ENXIO),
            (pinned, Errno::EBUSY),
        ]);
        // A policy that acts takes the pins before anybody learns of it.
        if pinned && lease.life == Life::Doubtful {
            expected = expected.union(Expected::SUCCESS);
        }
        // What a lease that is over cannot take back is pinned, too.
        if lease.grant && (self.files[lease.file].drains || self.anybody_pins(lease, &new)) {
            expected = expected.or(Errno::EBUSY);
        }
        let call = Call::Shrink {
            fd,
            offset: new.start * PAGE,
            length: (new.end - new.start) * PAGE,
        };
        Some(Plan::new(call, expected, Effect::Shrunk(lease.key, new)))
    }

    /// Whether pages of the lease outside of `new` may be pinned under another lease, or by a device.
    fn anybody_pins(&self, lease: &Lease, new: &Range<u64>) -> bool {
        let large = self.files[lease.file].large;
        let given = |pages: &Range<u64>| {
            let inside = pages.start.max(lease.pages.start)..pages.end.min(lease.pages.end);
            large || !inside.is_empty() && (inside.start < new.start || new.end < inside.end)
        };
        let others = self.leases.iter().filter(|other| other.file == lease.file);
        let mut pins = others.flat_map(|other| &other.pins);
        pins.any(|pin| given(&pin.pages)) || self.raw_pins(lease.file).any(|pages| given(&pages))
    }

    pub(super) fn plan_mark(&self, actor: Actor, handle: u8, first: u8, pages: u8) -> Option<Plan> {
        let (fd, lease) = self.handle(actor, handle)?;
        let marked = u64::from(first)..u64::from(first) + u64::from(pages);
        let inside = lease.pages.start <= marked.start && marked.end <= lease.pages.end;
        let expected =
            lease.valid_unless(&[(marked.is_empty(), Errno::EINVAL), (!inside, Errno::ENXIO)]);
        let changes = lease.pinned(&marked);
        let call = Call::Mark {
            fd,
            // Not on a page's beginning nor end: the pages are what counts.
            offset: marked.start * PAGE + 8,
            length: ((marked.end - marked.start) * PAGE).saturating_sub(16),
        };
        Some(Plan::new(call, expected, Effect::Marked(changes)))
    }

    pub(super) fn plan_query(&self, actor: Actor, handle: u8) -> Option<Plan> {
        let (fd, lease) = self.handle(actor, handle)?;
        Some(Plan::new(
            Call::Query { fd },
            Expected::SUCCESS,
            Effect::Queried(lease.key),
        ))
    }

    /// What is wrong with the answer to a query; learns from it.
    pub(super) fn queried(&mut self, key: u32, outcome: &Outcome) -> Result<(), String> {
        let exports = self.exports(key);
        let lease = self.lease_mut(key).ok_or("it is not there")?;
        let seen = outcome.queried.ok_or("it says nothing")?;
        if seen.state == uapi::PINLEASE_STATE_WITHDRAWN && lease.life == Life::Doubtful {
            lease.life = Life::Withdrawn;
        }
        let state = match (lease.life, &lease.standing) {
            (Life::Withdrawn, _) => uapi::PINLEASE_STATE_WITHDRAWN,
            _ if lease.vague => seen.state,
            (_, Some(_)) => uapi::PINLEASE_STATE_BREAKING,
            (_, None) => uapi::PINLEASE_STATE_HELD,
        };
        let pinned = lease.pins.iter().map(|pin| pin.pages.end - pin.pages.start);
        let wanted = Queried {
            policy: lease.policy,
            state,
            offset: lease.pages.start * PAGE,
            length: (lease.pages.end - lease.pages.start) * PAGE,
            pins: lease.pins.len() as u64,
            pinned_bytes: pinned.sum::<u64>() * PAGE,
            flags: if lease.grant {
                uapi::PINLEASE_ACQUIRE_GRANT
            } else {
                0
            },
            exports,
        };
        let mut compared = seen;
        if lease.life != Life::Valid {
            // They are being taken away.
            (compared.pins, compared.pinned_bytes) = (wanted.pins, wanted.pinned_bytes);
            compared.exports = wanted.exports;
        }
        match compared == wanted {
            true => Ok(()),
            false => Err(format!("the query says {seen:?}, not {wanted:?}")),
        }
    }

    pub(super) fn shrunk(&mut self, key: u32, new: Range<u64>) {
        let Some(lease) = self.lease_mut(key) else {
            return;
        };
        lease.pages = new.clone();
        if lease
            .standing
            .as_ref()
            .is_some_and(|range| !overlap(range, &new) && !lease.pinned(range))
        {
            lease.standing = None;
            lease.perhaps_told();
        }
    }

    pub(super) fn acquired(&mut self, mut lease: Lease) -> u32 {
        lease.key = self.next_lease;
        self.next_lease += 1;
        let key = lease.key;
        self.leases.push(lease);
        key
    }

    pub(crate) fn lease(&self, key: u32) -> Option<&Lease> {
        self.leases.iter().find(|lease| lease.key == key)
    }

    pub(super) fn lease_mut(&mut self, key: u32) -> Option<&mut Lease> {
        self.leases.iter_mut().find(|lease| lease.key == key)
    }
}

/// Pages that a grant of so many pages is charged: eight bytes for each.
pub(super) fn grant_pages(pages: u64) -> u64 {
    (8 * pages).div_ceil(PAGE)
}
