// SPDX-License-Identifier: GPL-2.0
//! What a record tells.

use std::time::Duration;

use anyhow::{ensure, Result};
use nix::errno::Errno;
use pinlease::{monotonic, Event, EventKind, Operation, Policy, ReadError};

use super::{next, Own, CUT, LIMIT, PAGE, PAGES};
use crate::{
    harness::{Context, TestResult},
    support::{expect::errno, BREAKER_NAME},
};

/// A record of a break by `pid`, who cuts the file.
fn check(event: &Event, lease: u64, pid: i32, policy: Policy) -> Result<()> {
    ensure!(
        event.lease == lease
            && event.breaker != 0
            && event.operation == Some(Operation::Truncate)
            && event.pid == Some(pid)
            && event.comm == BREAKER_NAME.to_string_lossy()
            && event.policy == Some(policy),
        "a wrong record for lease {lease}, process {pid}: {event:?}"
    );
    let end = event.offset.saturating_add(event.length);
    ensure!(
        event.offset == CUT && end >= PAGES * PAGE,
        "a wrong range: {event:?}"
    );
    Ok(())
}

/// A break that is answered, and another one.
pub fn breaks(context: &Context) -> TestResult {
    let own = Own::new(context)?;
    let lease = own.lease(Policy::Block, Duration::ZERO)?;
    let id = lease.query()?.id;
    ensure!(id != 0, "the lease has no id");
    let mut breakers = Vec::new();
    for round in 0..2 {
        own.file.set_len(PAGES * PAGE)?;
        let pin = own.pin(&lease)?;
        let before = monotonic();
        let breaking = own.cut()?;
        let pid = breaking.pid().as_raw();

        let event = next(&lease)?;
        check(&event, id, pid, Policy::Block)?;
        ensure!(
            event.kind == EventKind::Break { deadline: None },
            "block has no deadline: {event:?}"
        );
        ensure!(
            event.time >= before && event.time <= monotonic(),
            "before {before:?}, now {:?}: {event:?}",
            monotonic()
        );
        let answered = monotonic();
        pin.release()?;
        breaking.end(LIMIT)?.result()?;

        let over = next(&lease)?;
        check(&over, id, pid, Policy::Block)?;
        ensure!(over.kind == EventKind::Over, "round {round}: {over:?}");
        ensure!(
            over.breaker == event.breaker && over.time >= answered,
            "{event:?} ended by {over:?}"
        );
        ensure!(
            !breakers.contains(&event.breaker),
            "two breaks have one name: {event:?}"
        );
        breakers.push(event.breaker);
    }
    lease.set_nonblocking(true)?;
    let more = lease.read_event();
    ensure!(more == Err(ReadError::WouldBlock), "one more: {more:?}");
    Ok(())
}

/// A break that is not answered.
pub fn withdrawn(context: &Context) -> TestResult {
    const GRACE: Duration = Duration::from_millis(250);
    let own = Own::new(context)?;
    let lease = own.lease(Policy::Revoke, GRACE)?;
    let id = lease.query()?.id;
    let pin = own.pin(&lease)?;
    let breaking = own.cut()?;
    let pid = breaking.pid().as_raw();
    let event = next(&lease)?;
    check(&event, id, pid, Policy::Revoke)?;
    let EventKind::Break {
        deadline: Some(deadline),
    } = event.kind
    else {
        anyhow::bail!("no deadline: {event:?}");
    };
    let told = deadline.saturating_sub(event.time);
    ensure!(
        told.abs_diff(GRACE) < Duration::from_millis(50),
        "{told:?} from the break to its deadline, the grace is {GRACE:?}"
    );
    let query = lease.query()?;
    ensure!(
        query.state == pinlease::State::Breaking && query.deadline == Some(deadline),
        "deadline {deadline:?}, but {query:?}"
    );
    let last = next(&lease)?;
    check(&last, id, pid, Policy::Revoke)?;
    ensure!(
        last.kind == EventKind::Withdrawn && last.breaker == event.breaker,
        "{event:?}, then {last:?}"
    );
    ensure!(last.time >= deadline, "withdrawn too early: {last:?}");
    breaking.end(LIMIT)?.result()?;
    drop(pin);
    Ok(())
}

/// A breaker that is refused.
pub fn refused(context: &Context) -> TestResult {
    let own = Own::new(context)?;
    let lease = own.lease(Policy::Refuse, Duration::ZERO)?;
    let id = lease.query()?.id;
    let breaking = own.cut()?;
    let pid = breaking.pid().as_raw();
    let broken = breaking.end(LIMIT)?;
    errno("a refused breaker", broken.result(), Errno::ETXTBSY)?;
    let event = next(&lease)?;
    check(&event, id, pid, Policy::Refuse)?;
    ensure!(event.kind == EventKind::Refused, "{event:?}");
    ensure!(
        (broken.begin..=broken.end).contains(&event.time),
        "{broken:?}, but {event:?}"
    );
    Ok(())
}
