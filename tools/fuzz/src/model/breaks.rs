// SPDX-License-Identifier: GPL-2.0
//! Breakers: who yields to whom.

use std::ops::Range;

use nix::errno::Errno;
use pinlease::uapi;
use selftests::support::Filesystem;

use super::{
    lease::{overlap, Life},
    Effect, Events, Lease, Model, Plan,
};
use crate::{
    call::{Call, Outcome},
    expected::Expected,
    operation::{Actor, Means, Operation, Patience, Sync, FILES, PAGE, PAGES},
};

/// What a lease, or all of them, mean for a breaker; the later the stronger.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Verdict {
    Pass,
    Break,
    Deadlock,
    Refuse,
}

impl Verdict {
    fn expected(self) -> Expected {
        match self {
            Self::Pass => Expected::SUCCESS,
            Self::Break => Expected::failure(&[Errno::EAGAIN]),
            Self::Deadlock => Expected::failure(&[Errno::EDEADLK]),
            Self::Refuse => Expected::failure(&[Errno::ETXTBSY]),
        }
    }
}

/// A breaker.
#[derive(Clone, Debug)]
pub struct Breaker {
    actor: Actor,
    file: usize,
    pages: Range<u64>,
    patience: Patience,
    /// The file's size after it.
    size: u64,
}

/// Everything from a page on.
const END: u64 = u64::MAX / PAGE;

impl Model {
    pub(super) fn plan_break(&self, actor: Actor, operation: Operation) -> Option<Plan> {
        let Operation::Break {
            file,
            means,
            first,
            pages,
            patience,
        } = operation
        else {
            return None;
        };
        let file = usize::from(file) % FILES;
        let size = self.files[file].size;
        let first = u64::from(first) % PAGES;
        let (offset, length) = (first * PAGE, (u64::from(pages) % PAGES + 1) * PAGE);
        let (touched, new_size) = self.touches(means, offset, length, size)?;
        let breaker = Breaker {
            actor,
            file,
            pages: touched,
            patience: Patience::ComesBack,
            size: new_size,
        };
        let breaker = Breaker {
            patience: self.possible(&breaker, patience),
            ..breaker
        };
        let blocking = breaker.patience != Patience::ComesBack;
        let descriptors = &self.setting.descriptors[file];
        let fd = if blocking {
            descriptors.both
        } else {
            descriptors.nonblocking
        };
        let allocate = |mode, offset, length| Call::Allocate {
            fd,
            mode,
            offset,
            length,
        };
        let punch = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        let call = match means {
            Means::Truncate => Call::Truncate { fd, size: offset },
            Means::TruncateInside => Call::Truncate {
                fd,
                size: offset + PAGE / 2,
            },
            Means::OpenTruncating => Call::OpenTruncating {
                file,
                flags: if blocking { 0 } else { libc::O_NONBLOCK },
            },
            Means::Punch => allocate(punch, offset, length),
            Means::PunchInside => allocate(punch, offset + 1, length - 2),
            Means::Zero => allocate(
                libc::FALLOC_FL_ZERO_RANGE | libc::FALLOC_FL_KEEP_SIZE,
                offset,
                length,
            ),
            Means::Collapse => allocate(libc::FALLOC_FL_COLLAPSE_RANGE, offset, length),
            Means::Insert => allocate(libc::FALLOC_FL_INSERT_RANGE, offset, length),
            Means::DirectWrite => Call::Write {
                fd: if blocking {
                    descriptors.direct
                } else {
                    descriptors.direct_nonblocking
                },
                offset,
                length,
            },
        };
        let call = match breaker.patience {
            Patience::Interrupted => Call::Interrupted(Box::new(call)),
            _ => call,
        };
        let expected = self.outcome(&breaker);
        Some(Plan::new(call, expected, Effect::Broke(breaker)))
    }

    /// The pages that are taken away, and the file's size then; `None` where it cannot be done.
    fn touches(
        &self,
        means: Means,
        offset: u64,
        length: u64,
        size: u64,
    ) -> Option<(Range<u64>, u64)> {
        let filesystem = self.setting.filesystem;
        let shifts = filesystem != Filesystem::Btrfs;
        let shifted = match filesystem {
            Filesystem::Xfs => (offset / PAGE).saturating_sub(1)..END,
            _ => offset / PAGE..END,
        };
        let named = offset / PAGE..(offset + length) / PAGE;
        match means {
            Means::Truncate if offset < size => Some((offset / PAGE..END, offset)),
            Means::TruncateInside if offset + PAGE / 2 < size => {
                Some((offset / PAGE..END, offset + PAGE / 2))
            }
            Means::OpenTruncating => Some((0..END, 0)),
            Means::Punch | Means::PunchInside | Means::Zero => Some((named, size)),
            Means::Collapse if shifts && offset + length < size => Some((shifted, size - length)),
            Means::Insert if shifts && offset < size && size + length <= PAGES * PAGE => {
                Some((shifted, size + length))
            }
            Means::DirectWrite if offset + length <= PAGES * PAGE => {
                Some((named, size.max(offset + length)))
            }
            _ => None,
        }
    }

    /// How the breaker may wait without waiting for ever.
    fn possible(&self, breaker: &Breaker, wanted: Patience) -> Patience {
        let state = &self.files[breaker.file];
        let large = state.large || state.drains || self.others_may_pin(breaker.file);
        let breaks = self
            .met(breaker)
            .filter(|(_, _, strongest)| *strongest != Verdict::Pass);
        let mut own = false;
        let mut ends = true;
        for (lease, _, strongest) in breaks {
            own |= strongest == Verdict::Deadlock;
            ends &= strongest != Verdict::Break || lease.short;
        }
        match wanted {
            Patience::Waits if ends && !own && !large => Patience::Waits,
            // Who is refused or passes needs no signal.
            Patience::Interrupted => Patience::Interrupted,
            _ => Patience::ComesBack,
        }
    }

    /// The leases that it meets, with the weakest and the strongest that each can mean.
    fn met<'a>(
        &'a self,
        breaker: &'a Breaker,
    ) -> impl Iterator<Item = (&'a Lease, Verdict, Verdict)> {
        let large = self.files[breaker.file].large;
        let mut leases = self.leases.iter();
        let pins = leases.any(|lease| lease.file == breaker.file && !lease.pins.is_empty());
        self.leases.iter().filter_map(move |lease| {
            if lease.file != breaker.file {
                return None;
            }
            let pinned = lease.pinned(&breaker.pages);
            // Under a grant whatever is pinned in its folios may be somebody's.
            let some_pinned = !lease.pins.is_empty() || lease.grant && pins;
            let perhaps_pinned = pinned || large && some_pinned;
            let overlaps = overlap(&lease.pages, &breaker.pages);
            if !overlaps && !perhaps_pinned {
                return None;
            }
            let stops = match (lease.policy, lease.holder == breaker.actor) {
                (uapi::PINLEASE_POLICY_REFUSE, _) => Verdict::Refuse,
                (_, true) => Verdict::Deadlock,
                (_, false) => Verdict::Break,
            };
            // Its pins go, but somebody may have them for a moment.
            let gone = lease.life == Life::Withdrawn;
            let strongest = match (gone, perhaps_pinned, overlaps) {
                (true, false, _) => Verdict::Pass,
                (true, true, _) => Verdict::Break,
                (false, true, _) => stops,
                (false, false, _) if lease.yields && !lease.vague => Verdict::Pass,
                (false, false, _) => stops,
            };
            let certain = lease.life == Life::Valid
                && (pinned || overlaps && !lease.vague && !(lease.yields && perhaps_pinned));
            let weakest = if certain { strongest } else { Verdict::Pass };
            // If its policy has acted it is nobody's any more.
            let strongest = match lease.life {
                Life::Doubtful if strongest == Verdict::Deadlock => Verdict::Deadlock,
                _ => strongest,
            };
            Some((lease, weakest, strongest))
        })
    }

    fn outcome(&self, breaker: &Breaker) -> Expected {
        let kept = self.files[breaker.file].kept && overlap(&breaker.pages, &(0..1));
        let keeper = if kept { Verdict::Refuse } else { Verdict::Pass };
        let mut least = keeper;
        let mut more = Vec::new();
        let mut doubtful = false;
        for (lease, weakest, strongest) in self.met(breaker) {
            least = least.max(weakest);
            more.push(strongest);
            doubtful |= lease.life != Life::Valid;
        }
        let mut expected = least.expected();
        for verdict in more.into_iter().filter(|verdict| *verdict > least) {
            expected = expected.union(verdict.expected());
        }
        if doubtful && least < Verdict::Refuse {
            // Also for the pins of what was the breaker's own.
            expected = expected.union(Verdict::Break.expected());
        }
        if self.files[breaker.file].drains {
            let more = [Verdict::Break, Verdict::Refuse].into_iter();
            expected = more.fold(expected, |expected, verdict| {
                expected.union(verdict.expected())
            });
        }
        if self.others_may_pin(breaker.file) {
            for verdict in [
                Verdict::Pass,
                Verdict::Break,
                Verdict::Deadlock,
                Verdict::Refuse,
            ] {
                expected = expected.union(verdict.expected());
            }
        }
        match breaker.patience {
            Patience::ComesBack => expected,
            Patience::Waits => expected.waiting(Expected::SUCCESS),
            Patience::Interrupted => {
                let interrupted = Expected::failure(&[Errno::EINTR]);
                let ends = self
                    .met(breaker)
                    .any(|(lease, _, _)| lease.short || lease.life != Life::Valid);
                let others = self.others_may_pin(breaker.file);
                match ends || others || self.files[breaker.file].drains {
                    true => expected.waiting(interrupted.union(Expected::SUCCESS)),
                    false => expected.waiting(interrupted),
                }
            }
        }
    }

    /// The breaker came back with this; true if it changed something.
    pub(super) fn broke(&mut self, breaker: &Breaker, outcome: &Outcome) -> bool {
        let told = match Errno::from_raw(outcome.errno) {
            _ if outcome.succeeded() => breaker.patience == Patience::Waits,
            Errno::EAGAIN | Errno::EINTR => true,
            Errno::ETXTBSY => true,
            _ => false,
        };
        let met: Vec<_> = self
            .met(breaker)
            .map(|(lease, weakest, strongest)| (lease.key, weakest, strongest))
            .collect();
        let others = self.others_may_pin(breaker.file) || self.files[breaker.file].drains;
        for (key, weakest, strongest) in met.into_iter().filter(|_| told) {
            let Some(lease) = self.lease_mut(key) else {
                continue;
            };
            lease.was_told(breaker, outcome, weakest, strongest, others);
        }
        if outcome.succeeded() {
            self.files[breaker.file].size = breaker.size;
        }
        outcome.succeeded() || Errno::from_raw(outcome.errno) == Errno::EAGAIN
    }

    pub(super) fn plan_extend(&self, actor: Actor, file: u8, pages: u8) -> Option<Plan> {
        let file = usize::from(file) % FILES;
        let size = (u64::from(pages) % PAGES + 1) * PAGE;
        let state = &self.files[file];
        if size <= state.size {
            return None;
        }
        let fd = self.setting.descriptors[file].nonblocking;
        let call = Call::Truncate { fd, size };
        let breaker = Breaker {
            actor,
            file,
            // Where nothing can be leased, as nothing is there.
            pages: END - 1..END,
            patience: Patience::ComesBack,
            size,
        };
        // XFS throws out the folio that reaches beyond the end.
        let expected = match self.setting.filesystem {
            Filesystem::Xfs => Expected::SUCCESS
                .or(Errno::EAGAIN)
                .or(Errno::ETXTBSY)
                .or(Errno::EDEADLK),
            _ => Expected::SUCCESS,
        };
        Some(Plan::new(call, expected, Effect::Extended(breaker)))
    }

    pub(super) fn plan_write(&self, file: u8, first: u8, pages: u8) -> Option<Plan> {
        let file = usize::from(file) % FILES;
        let state = &self.files[file];
        let first = u64::from(first) % PAGES;
        // One page at a time where folios are to be small.
        let pages = if state.large {
            u64::from(pages) % 8 + 1
        } else {
            1
        };
        if (first + pages) * PAGE > state.size {
            return None;
        }
        let call = Call::Write {
            fd: self.setting.descriptors[file].both,
            offset: first * PAGE,
            length: pages * PAGE,
        };
        Some(Plan::new(call, Expected::SUCCESS, Effect::Nothing))
    }

    pub(super) fn plan_sync(&self, file: u8, how: Sync) -> Option<Plan> {
        let file = usize::from(file) % FILES;
        let fd = self.setting.descriptors[file].both;
        Some(Plan::new(
            Call::Sync { fd, how },
            Expected::SUCCESS,
            Effect::Nothing,
        ))
    }
}

impl Lease {
    /// A breaker met it that could not pass.
    fn was_told(
        &mut self,
        breaker: &Breaker,
        outcome: &Outcome,
        weakest: Verdict,
        strongest: Verdict,
        others: bool,
    ) {
        let errno = Errno::from_raw(outcome.errno);
        if errno == Errno::ETXTBSY {
            match weakest {
                Verdict::Refuse => self.events = Events::Some,
                _ => self.perhaps_told(),
            }
            return;
        }
        if strongest != Verdict::Break {
            return;
        }
        let certain = weakest == Verdict::Break && !others;
        match (certain, errno) {
            (true, Errno::EAGAIN) => {
                // Who comes back is not told of twice.
                match self.standing {
                    Some(_) => self.perhaps_told(),
                    None => self.events = Events::Some,
                }
                self.standing.get_or_insert(breaker.pages.clone());
            }
            (true, Errno::EINTR) => self.events = Events::Some,
            _ => {
                self.perhaps_told();
                self.vague = true;
            }
        }
        // Who waited has seen that the policy acted.
        if self.short && self.life == Life::Valid {
            self.life = match outcome.succeeded() && certain {
                true => Life::Withdrawn,
                false => Life::Doubtful,
            };
        }
    }
}
