// SPDX-License-Identifier: GPL-2.0
//! Records of read(2) as events.

use std::{
    ffi::c_char,
    mem::{offset_of, size_of_val},
    ptr::from_mut,
    time::Duration,
};

use nix::errno::Errno;
use pinlease_uapi as uapi;

use super::{Event, EventKind};
use crate::{time::deadline, Operation, Policy, ReadError};

/// Bytes of a record's first version; no module gives less.
const FIRST_VERSION: usize = offset_of!(uapi::pinlease_event, comm) + size_of::<[c_char; 16]>();

/// All records in `bytes`, which begins and ends with whole ones.
pub fn parse(mut bytes: &[u8]) -> Result<Vec<Event>, ReadError> {
    let mut events = Vec::new();
    while !bytes.is_empty() {
        let size = size_of_first(bytes).ok_or(ReadError::NotEvents)?;
        let (record, rest) = bytes.split_at(size);
        events.push(raw(record).into());
        bytes = rest;
    }
    Ok(events)
}

/// What the first record says of its size, if it can be true.
fn size_of_first(bytes: &[u8]) -> Option<usize> {
    let size = u32::from_ne_bytes(*bytes.first_chunk()?);
    let size = usize::try_from(size).ok()?;
    (FIRST_VERSION..=bytes.len())
        .contains(&size)
        .then_some(size)
}

/// The fields that both this library and the module know; others are 0.
fn raw(record: &[u8]) -> uapi::pinlease_event {
    let mut event = uapi::pinlease_event::default();
    let length = record.len().min(size_of_val(&event));
    // SAFETY: `length` is within both, and the structure consists of integers,
    // for which all bits are valid.
    unsafe {
        record
            .as_ptr()
            .copy_to_nonoverlapping(from_mut(&mut event).cast(), length);
    }
    event
}

impl From<uapi::pinlease_event> for Event {
    fn from(raw: uapi::pinlease_event) -> Self {
        Self {
            kind: match raw.kind {
                uapi::PINLEASE_EVENT_BREAK => EventKind::Break {
                    deadline: deadline(raw.deadline_ns),
                },
                uapi::PINLEASE_EVENT_OVER => EventKind::Over,
                uapi::PINLEASE_EVENT_WITHDRAWN => EventKind::Withdrawn,
                uapi::PINLEASE_EVENT_REFUSED => EventKind::Refused,
                uapi::PINLEASE_EVENT_OVERFLOW => EventKind::Overflow { lost: raw.lost },
                uapi::PINLEASE_EVENT_ERROR => EventKind::Error {
                    errno: Errno::from_raw(raw.error.try_into().unwrap_or_default()),
                },
                uapi::PINLEASE_EVENT_ACQUIRED => EventKind::Acquired,
                uapi::PINLEASE_EVENT_RELEASED => EventKind::Released,
                other => EventKind::Other(other),
            },
            lease: raw.lease,
            breaker: raw.breaker,
            operation: Operation::from_raw(raw.operation),
            pid: process(raw.pid),
            comm: name(raw.pid, &raw.comm),
            offset: raw.offset,
            length: raw.length,
            time: Duration::from_nanos(raw.time_ns),
            policy: Policy::from_raw(raw.policy),
        }
    }
}

/// A pid as the structures carry it: 0 stands for none.
pub fn process(pid: i32) -> Option<i32> {
    (pid != 0).then_some(pid)
}

/// A process's name as the structures carry it.
pub fn name(pid: i32, comm: &[c_char; 16]) -> String {
    if pid == 0 {
        return String::new();
    }
    let bytes: Vec<u8> = comm
        .iter()
        .map(|&byte| u8::from_ne_bytes(byte.to_ne_bytes()))
        .take_while(|&byte| byte != 0)
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of a record as a module would write it, with `more` behind.
    fn record(mut event: uapi::pinlease_event, more: &[u8]) -> Vec<u8> {
        let known = size_of_val(&event);
        event.size = (known + more.len()).try_into().unwrap();
        // SAFETY: the structure has no padding, as its fields' sizes add up
        // to its own, which tests/commands.rs of the bindings checks.
        let bytes =
            unsafe { std::slice::from_raw_parts(std::ptr::from_ref(&event).cast::<u8>(), known) };
        [bytes, more].concat()
    }

    fn breaking() -> uapi::pinlease_event {
        let mut event = uapi::pinlease_event {
            kind: uapi::PINLEASE_EVENT_BREAK,
            lease: 7,
            breaker: 3,
            operation: uapi::PINLEASE_OPERATION_PUNCH_HOLE,
            pid: 42,
            offset: 4096,
            length: 8192,
            time_ns: 1_000_000_001,
            deadline_ns: 6_000_000_001,
            policy: uapi::PINLEASE_POLICY_REVOKE,
            ..Default::default()
        };
        for (to, from) in event.comm.iter_mut().zip(b"fallocate") {
            *to = c_char::from_ne_bytes([*from]);
        }
        event
    }

    #[test]
    fn all_fields() {
        let events = parse(&record(breaking(), &[])).unwrap();
        let expected = Event {
            kind: EventKind::Break {
                deadline: Some(Duration::from_nanos(6_000_000_001)),
            },
            lease: 7,
            breaker: 3,
            operation: Some(Operation::PunchHole),
            pid: Some(42),
            comm: "fallocate".into(),
            offset: 4096,
            length: 8192,
            time: Duration::from_nanos(1_000_000_001),
            policy: Some(Policy::Revoke),
        };
        assert_eq!(events, [expected]);
    }

    #[test]
    fn several_of_different_length() {
        let over = uapi::pinlease_event {
            kind: uapi::PINLEASE_EVENT_OVER,
            lease: 8,
            ..Default::default()
        };
        let lost = uapi::pinlease_event {
            kind: uapi::PINLEASE_EVENT_OVERFLOW,
            lost: 5,
            ..Default::default()
        };
        // What a newer module adds is skipped, be it aligned or not.
        let bytes = [
            record(breaking(), &[0xff; 12]),
            record(over, &[0xff; 3]),
            record(lost, &[]),
        ]
        .concat();
        let events = parse(&bytes).unwrap();
        assert_eq!(events.len(), 3);
        assert_eq!(events[0].comm, "fallocate");
        assert_eq!((events[1].kind, events[1].lease), (EventKind::Over, 8));
        assert_eq!(events[2].kind, EventKind::Overflow { lost: 5 });
    }

    #[test]
    fn what_could_not_be_saved() {
        for (error, errno) in [
            (libc::EDQUOT as u32, Errno::EDQUOT),
            (u32::MAX, Errno::UnknownErrno),
        ] {
            let event = uapi::pinlease_event {
                kind: uapi::PINLEASE_EVENT_ERROR,
                error,
                ..Default::default()
            };
            let events = parse(&record(event, &[])).unwrap();
            assert_eq!(events[0].kind, EventKind::Error { errno });
            assert_eq!(events[0].kind.to_string(), "error");
        }
    }

    #[test]
    fn what_is_unknown_or_absent() {
        let event = uapi::pinlease_event {
            kind: 99,
            operation: 99,
            policy: 99,
            // Says nothing without a pid.
            comm: breaking().comm,
            ..Default::default()
        };
        let events = parse(&record(event, &[])).unwrap();
        assert_eq!(events[0].kind, EventKind::Other(99));
        assert_eq!(events[0].kind.to_string(), "event-99");
        assert_eq!(events[0].operation, Some(Operation::Other(99)));
        assert_eq!(events[0].policy, None);
        assert_eq!((events[0].pid, events[0].comm.as_str()), (None, ""));
    }

    #[test]
    fn a_break_without_deadline() {
        let event = uapi::pinlease_event {
            deadline_ns: 0,
            ..breaking()
        };
        let events = parse(&record(event, &[])).unwrap();
        assert_eq!(events[0].kind, EventKind::Break { deadline: None });
    }

    #[test]
    fn a_name_without_end_and_one_that_is_no_text() {
        let letters = [c_char::from_ne_bytes(*b"x"); 16];
        assert_eq!(name(1, &letters), "x".repeat(16));
        let mut bytes = [0; 16];
        bytes[0] = c_char::from_ne_bytes([0xff]);
        assert_eq!(name(1, &bytes), "\u{fffd}");
    }

    #[test]
    fn damage() {
        let good = record(breaking(), &[]);
        assert_eq!(parse(&[]), Ok(vec![]));
        assert_eq!(parse(&good[..3]), Err(ReadError::NotEvents));
        assert_eq!(parse(&good[..95]), Err(ReadError::NotEvents));
        for size in [0_u32, 8, 95, 97, u32::MAX] {
            let mut bytes = good.clone();
            bytes[..4].copy_from_slice(&size.to_ne_bytes());
            assert_eq!(parse(&bytes), Err(ReadError::NotEvents), "{size}");
        }
    }
}
