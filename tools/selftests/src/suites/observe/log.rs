// SPDX-License-Identifier: GPL-2.0
//! What the kernel's log says, and how often.

use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use pinlease::{Device, Policy};

use crate::{
    harness::{Context, TestResult},
    support::{proc::wait_for, Breaking, Fill, HolderPlan, KernelLog, Mapped},
};

const PAGES: u64 = 2;
const LIMIT: Duration = Duration::from_secs(30);
const GRACE: Duration = Duration::from_millis(50);

/// A policy that acts is told with who and which, and that hooks come and go.
pub fn messages(context: &Context) -> TestResult {
    context.load_modules()?;
    // Not by what ftrace shows, which is done before it is told.
    let device = Device::open()?;
    let no_hooks = || Ok(device.quiescence()?.no_hooks);
    wait_for("hooks of earlier leases are gone", LIMIT, no_hooks)?;
    let mut log = KernelLog::open()?;
    let mut expected = vec!["pinlease: first lease, hooks installed".to_owned()];
    for (policy, does) in [
        (Policy::Kill, "killed"),
        (Policy::Revoke, "pins taken away"),
    ] {
        let mapped = Mapped::create(&context.path("log"), PAGES, Fill::Faulted)?;
        let holder = HolderPlan::new(0..PAGES, policy, GRACE).start(&mapped)?;
        let comm = std::fs::read_to_string(format!("/proc/{}/comm", holder.pid()))?;
        expected.push(format!(
            "pinlease: holder {} ({}) of lease {} did not answer within its grace: {does}, as its policy says",
            holder.pid(),
            comm.trim(),
            holder.lease()
        ));
        Breaking::truncate(mapped.path(), 0)?.end(LIMIT)?.result()?;
    }
    wait_for("the hooks are gone", LIMIT, no_hooks)?;
    expected.push("pinlease: no lease left, hooks removed".into());
    // Our own, in their order, and nothing else of the module.
    let mut messages = Vec::new();
    let all_there = || {
        messages.extend(own(&mut log));
        Ok(messages.len() >= expected.len())
    };
    wait_for("all messages are there", LIMIT, all_there)
        .with_context(|| format!("{expected:#?}"))?;
    ensure!(
        messages == expected,
        "{messages:#?}\nare not\n{expected:#?}"
    );
    Ok(())
}

/// Leases that are broken at a time, more than are told in five seconds.
const MANY: usize = 25;

/// What `printk_ratelimit` lets through of each message, in five seconds.
const BURST: usize = 10;

/// A user cannot fill the log.
pub fn limited(context: &Context) -> TestResult {
    context.load_modules()?;
    let device = Device::open()?;
    let mut log = KernelLog::open()?;
    let mapped: Vec<_> = (0..MANY)
        .map(|number| {
            let path = context.path(&format!("limited-{number}"));
            Mapped::create(&path, PAGES, Fill::Faulted)
        })
        .collect::<Result<_>>()?;
    let lease = |mapped| {
        device
            .lease(mapped)
            .policy(Policy::Revoke)
            .grace(GRACE)
            .acquire()
    };
    let leases: Vec<_> = mapped.iter().map(lease).collect::<Result<_, _>>()?;
    let begin = Instant::now();
    let breaking: Vec<_> = mapped
        .iter()
        .map(|mapped| Breaking::truncate(mapped.path(), 0))
        .collect::<Result<_>>()?;
    for breaking in breaking {
        breaking.end(LIMIT)?.result()?;
    }
    // The first may have begun before.
    let windows = 2 + begin.elapsed().as_secs() as usize / 5;
    drop(leases);
    let told = own(&mut log)
        .filter(|line| line.contains("pins taken away"))
        .count();
    println!("{told} of {MANY} in {:?}", begin.elapsed());
    // Another test may have used up some of the first.
    ensure!(
        told > 0 && told <= windows * BURST,
        "{told} of {MANY} in {windows} windows"
    );
    Ok(())
}

/// Messages of the module since the last call.
fn own(log: &mut KernelLog) -> impl Iterator<Item = String> {
    let messages = log.messages().into_iter();
    messages.filter(|line| line.starts_with("pinlease: "))
}
