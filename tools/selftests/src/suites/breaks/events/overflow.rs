// SPDX-License-Identifier: GPL-2.0
//! Nobody reads: what is lost is counted.

use std::time::Duration;

use anyhow::{ensure, Result};
use nix::errno::Errno;
use pinlease::{EventKind, Lease, Policy, ReadError};

use super::Own;
use crate::{
    harness::{Context, TestResult},
    support::expect::errno,
};

/// More events than any queue should hold.
const MANY: u64 = 20_000;

/// Reads all events; returns how many there were, and how many are missing.
fn read_all(lease: &Lease) -> Result<(u64, u64)> {
    let (mut refused, mut lost, mut last) = (0, 0, 0);
    loop {
        let events = match lease.read_events() {
            Err(ReadError::WouldBlock) => return Ok((refused, lost)),
            other => other?,
        };
        for event in events {
            match event.kind {
                EventKind::Refused => {
                    ensure!(
                        event.breaker > last,
                        "breaker {} after {last}",
                        event.breaker
                    );
                    last = event.breaker;
                    refused += 1;
                }
                EventKind::Overflow { lost: more } => {
                    ensure!(lost == 0, "a second overflow: {event:?}");
                    ensure!(more > 0, "an overflow without loss: {event:?}");
                    lost = more;
                }
                _ => anyhow::bail!("unexpected: {event:?}"),
            }
        }
    }
}

/// An overflow says how many are missing, and the queue goes on.
pub fn overflow(context: &Context) -> TestResult {
    let own = Own::new(context)?;
    let lease = own.lease(Policy::Refuse, Duration::ZERO)?;
    lease.set_nonblocking(true)?;
    for round in 0..2 {
        for _ in 0..MANY {
            errno("a breaker", own.cut_here(), Errno::ETXTBSY)?;
        }
        let (refused, lost) = read_all(&lease)?;
        println!("{MANY} events: {refused} read, {lost} lost");
        ensure!(
            refused + lost == MANY,
            "round {round}: {refused} read and {lost} lost of {MANY}"
        );
        ensure!(
            refused >= 16 && lost > 0,
            "round {round}: no queue has this size"
        );
    }
    // Few events are not lost.
    for _ in 0..16 {
        errno("a breaker", own.cut_here(), Errno::ETXTBSY)?;
    }
    let read = read_all(&lease)?;
    ensure!(read == (16, 0), "16 events, then {read:?} read and lost");
    Ok(())
}
