// SPDX-License-Identifier: GPL-2.0
//! What must happen in a cell, by the rules of the interface.

use std::ops::Range;

use nix::errno::Errno;
use pinlease::Policy;

use super::column::{Column, Manner, Reply};
use crate::support::breakers::{OnSignal, WhenRefused};

/// What counts of the breaker and of the lease.
#[derive(Clone, Debug)]
pub struct Situation {
    /// Pages that the breaker touches.
    pub touched: Range<u64>,
    /// Pages to which a holder shrinks.
    pub shrunk: Range<u64>,
    /// What a signal does to the breaker.
    pub signal: OnSignal,
    /// What a refusal is to it.
    pub refused: WhenRefused,
    /// Whether it knows `O_NONBLOCK`.
    pub nonblock: bool,
    /// Whether it waits at all.
    pub waits: bool,
}

/// What must happen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Expected {
    /// What the breaker returns; `None`: nothing but its death could end it.
    pub result: Option<nix::Result<()>>,
    /// When it returns.
    pub until: Until,
    /// What becomes of the holder.
    pub fate: Fate,
    /// What the holder reads, but for a last event that may come too late for
    /// one that is killed.
    pub events: &'static [&'static str],
}

/// When a breaker returns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Until {
    /// At once.
    Begin,
    /// When the holder answered.
    Answer,
    /// When the grace was over.
    Deadline,
    /// When a signal came.
    Signal,
}

/// What becomes of a holder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// Nothing.
    Lives,
    /// It is killed.
    Killed,
    /// Its pins are taken away.
    Withdrawn,
}

/// What must happen in a cell; `None`: it makes no sense there.
pub fn expected(column: Column, situation: &Situation) -> Option<Expected> {
    let at_once =
        !situation.waits && matches!(column.manner, Manner::Patient | Manner::Nonblocking);
    if column.policy == Policy::Refuse || at_once {
        let result = match situation.refused {
            WhenRefused::Fails => Err(Errno::ETXTBSY),
            WhenRefused::FallsBack => Ok(()),
        };
        return Some(ended(Some(result), Until::Begin, Fate::Lives, &["refused"]));
    }
    match column.manner {
        // It does not wait for a signal.
        _ if !situation.waits => None,
        Manner::Patient => Some(patient(column, situation)),
        Manner::Nonblocking => situation.nonblock.then(|| Expected {
            result: Some(match situation.refused {
                WhenRefused::Fails => Err(Errno::EWOULDBLOCK),
                WhenRefused::FallsBack => Ok(()),
            }),
            until: Until::Begin,
            ..expired(column.policy, situation)
        }),
        Manner::Interrupted => {
            (situation.signal != OnSignal::Waits).then(|| interrupted(situation))
        }
        Manner::Restarted => Some(match situation.signal {
            OnSignal::Restarts => ended(
                Some(Ok(())),
                Until::Answer,
                Fate::Lives,
                &["break", "over", "break"],
            ),
            OnSignal::Ends => interrupted(situation),
            OnSignal::Waits => ended(Some(Ok(())), Until::Answer, Fate::Lives, &["break"]),
        }),
    }
}

fn ended(
    result: Option<nix::Result<()>>,
    until: Until,
    fate: Fate,
    events: &'static [&'static str],
) -> Expected {
    Expected {
        result,
        until,
        fate,
        events,
    }
}

/// The break is off.
fn interrupted(situation: &Situation) -> Expected {
    ended(
        (situation.signal != OnSignal::Waits).then_some(Err(Errno::EINTR)),
        Until::Signal,
        Fate::Lives,
        &["break", "over"],
    )
}

/// Nobody answered.
fn expired(policy: Policy, situation: &Situation) -> Expected {
    match policy {
        Policy::Kill => ended(
            Some(Ok(())),
            Until::Deadline,
            Fate::Killed,
            &["break", "withdrawn"],
        ),
        Policy::Revoke => ended(
            Some(Ok(())),
            Until::Deadline,
            Fate::Withdrawn,
            &["break", "withdrawn"],
        ),
        // Without an end of its own: the test interrupts the breaker.
        Policy::Block | Policy::Refuse => Expected {
            events: &["break"],
            ..interrupted(situation)
        },
    }
}

fn patient(column: Column, situation: &Situation) -> Expected {
    let blocks = column.policy == Policy::Block;
    let answered = |events| ended(Some(Ok(())), Until::Answer, Fate::Lives, events);
    match column.reply {
        Reply::Close => answered(&["break"]),
        Reply::Unpin => answered(&["break", "over"]),
        Reply::Shrink if !overlap(&situation.shrunk, &situation.touched) => {
            answered(&["break", "over"])
        }
        Reply::Late if blocks => answered(&["break"]),
        Reply::Shrink | Reply::Late | Reply::Never if blocks => interrupted(situation),
        Reply::Shrink | Reply::Late | Reply::Never => expired(column.policy, situation),
    }
}

fn overlap(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expect(policy: Policy, reply: Reply, manner: Manner) -> Option<Expected> {
        let situation = Situation {
            touched: 12..16,
            shrunk: 8..10,
            signal: OnSignal::Restarts,
            refused: WhenRefused::Fails,
            nonblock: true,
            waits: true,
        };
        let column = Column {
            policy,
            reply,
            manner,
        };
        expected(column, &situation)
    }

    #[test]
    fn rules() {
        let cell = |policy, reply| expect(policy, reply, Manner::Patient).unwrap();
        for policy in [Policy::Kill, Policy::Revoke, Policy::Block] {
            for reply in [Reply::Close, Reply::Unpin, Reply::Shrink] {
                assert_eq!(cell(policy, reply).until, Until::Answer);
            }
        }
        assert_eq!(cell(Policy::Kill, Reply::Late).fate, Fate::Killed);
        assert_eq!(cell(Policy::Revoke, Reply::Never).fate, Fate::Withdrawn);
        assert_eq!(cell(Policy::Block, Reply::Late).until, Until::Answer);
        assert_eq!(cell(Policy::Block, Reply::Never).until, Until::Signal);
        let refused = cell(Policy::Refuse, Reply::Never);
        assert_eq!(refused.result, Some(Err(Errno::ETXTBSY)));
        assert_eq!(refused.until, Until::Begin);
        let nonblocking = expect(Policy::Kill, Reply::Never, Manner::Nonblocking).unwrap();
        assert_eq!(nonblocking.result, Some(Err(Errno::EWOULDBLOCK)));
        assert_eq!(nonblocking.fate, Fate::Killed);
    }

    #[test]
    fn shrinking_in_the_way_is_no_answer() {
        let situation = Situation {
            touched: 0..24,
            shrunk: 8..10,
            signal: OnSignal::Waits,
            refused: WhenRefused::Fails,
            nonblock: false,
            waits: true,
        };
        let mut column = Column {
            policy: Policy::Kill,
            reply: Reply::Shrink,
            manner: Manner::Patient,
        };
        assert_eq!(expected(column, &situation).unwrap().fate, Fate::Killed);
        column.manner = Manner::Interrupted;
        assert_eq!(expected(column, &situation), None);
        column.manner = Manner::Nonblocking;
        assert_eq!(expected(column, &situation), None);
    }
}
