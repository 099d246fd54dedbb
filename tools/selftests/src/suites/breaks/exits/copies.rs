// SPDX-License-Identifier: GPL-2.0
//! Copies of the descriptor, in the acquirer and elsewhere.

use std::os::unix::net::UnixStream;

use anyhow::{ensure, Context as _, Result};
use nix::sys::{prctl, signal::Signal};
use pinlease::{monotonic, Lease, Policy, State};

use super::{cut, file, hold, resumes, waits, AGES, GRACE, LIMIT};
use crate::{
    harness::{Context, TestResult},
    support::{
        channel::{channel, Receiver},
        process, rights,
    },
};

/// What the processes tell each other.
type Step = u32;

/// The next step, which must come.
fn step(steps: &mut Receiver<Step>) -> Result<Step> {
    steps.receive(LIMIT)?.context("the other process ended")
}

/// Closing the lease with its pin.
pub fn close(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let (order, mut orders) = channel::<Step>()?;
    let (say, mut said) = channel::<Step>()?;
    let holder = process::spawn(|| {
        let (lease, _) = hold(&mapped, Policy::Kill, AGES)?;
        say.send(&1)?;
        step(&mut orders)?;
        drop(lease);
        say.send(&2)?;
        // It lives on: its end is no part of this.
        step(&mut orders).map(drop)
    })?;
    step(&mut said)?;
    let breaking = cut(mapped.path())?;
    order.send(&1)?;
    step(&mut said)?;
    resumes(breaking)?;
    order.send(&2)?;
    holder.join()
}

/// A child's copy keeps the lease when the acquirer closes its own.
pub fn fork(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let (order, mut orders) = channel::<Step>()?;
    let (order_child, mut child_orders) = channel::<Step>()?;
    let (say, mut said) = channel::<Step>()?;
    let holder = process::spawn(|| {
        let (lease, _) = hold(&mapped, Policy::Kill, AGES)?;
        let child = process::spawn(|| step(&mut child_orders).map(drop))?;
        say.send(&1)?;
        step(&mut orders)?;
        drop(lease);
        say.send(&2)?;
        child.join()
    })?;
    step(&mut said)?;
    let breaking = cut(mapped.path())?;
    order.send(&1)?;
    step(&mut said)?;
    waits(&breaking).context("after the acquirer closed its copy")?;
    order_child.send(&1)?;
    resumes(breaking)?;
    holder.join()
}

/// The acquirer is killed; what its child still holds is revoked.
pub fn fork_killed(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let (order_child, mut child_orders) = channel::<Step>()?;
    let (say, mut said) = channel::<Step>()?;
    let holder = process::spawn(|| {
        let (lease, _) = hold(&mapped, Policy::Kill, GRACE)?;
        let child = process::spawn(|| {
            prctl::set_pdeathsig(None::<Signal>)?;
            step(&mut child_orders)?;
            let query = lease.query()?;
            ensure!(
                query.state == State::Withdrawn && query.pins == 0,
                "the child's copy: {query:?}"
            );
            say.send(&2)
        })?;
        say.send(&1)?;
        child.join()
    })?;
    step(&mut said)?;
    let breaking = cut(mapped.path())?;
    let broken = breaking.end(LIMIT)?;
    broken.result()?;
    ensure!(broken.took() >= GRACE, "too early: {:?}", broken.took());
    holder.wait_killed(LIMIT).context("the acquirer")?;
    order_child.send(&1)?;
    ensure!(step(&mut said)? == 2, "the child failed");
    crate::support::residue::none_left()
}

/// A lease that was passed on lives in the receiver; its acquirer is gone, so
/// that the policy can only revoke.
pub fn passed(context: &Context) -> TestResult {
    for policy in [Policy::Block, Policy::Kill] {
        passed_with(context, policy).with_context(|| policy.to_string())?;
    }
    Ok(())
}

fn passed_with(context: &Context, policy: Policy) -> TestResult {
    let mapped = file(context)?;
    let (ours, theirs) = UnixStream::pair()?;
    let (order, mut orders) = channel::<Step>()?;
    let (say, mut said) = channel::<Step>()?;
    let receiver = process::spawn(|| {
        let lease = Lease::from(rights::receive(&theirs)?);
        say.send(&1)?;
        step(&mut orders)?;
        drop(lease);
        say.send(&2)?;
        step(&mut orders).map(drop)
    })?;
    let acquirer = process::spawn(|| {
        let (lease, _) = hold(&mapped, policy, GRACE)?;
        rights::send(&ours, &lease)?;
        Ok(())
    })?;
    acquirer.join()?;
    step(&mut said)?;
    let begin = monotonic();
    let breaking = cut(mapped.path())?;
    if policy == Policy::Kill {
        // There is nobody to kill.
        let broken = breaking.end(LIMIT)?;
        broken.result()?;
        ensure!(
            broken.end >= begin + GRACE,
            "too early: {:?}",
            broken.took()
        );
        order.send(&1)?;
        step(&mut said)?;
    } else {
        order.send(&1)?;
        step(&mut said)?;
        breaking.end(LIMIT)?.result()?;
    }
    order.send(&2)?;
    // The receiver was never the holder.
    receiver.join()?;
    crate::support::residue::none_left()
}
