// SPDX-License-Identifier: GPL-2.0
//! Scenario 21: a file without a lease behaves as on the stock kernel, with
//! the module loaded, and also while another file is leased.

use anyhow::{ensure, Result};
use nix::errno::Errno;

use crate::{
    harness::{Context, Side, Test, TestResult},
    support::{
        expect::{errno, from_io, success},
        modules,
        proc::leases,
        Engine, Fill, Mapped, Requirement, Rig, RigOptions,
    },
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("s21-no-lease.longterm", longterm),
    Test::new("s21-no-lease.loss", loss),
    Test::new("s21-no-lease.truncate", truncate),
];

/// Runs `test` without any lease, then beside a lease of another file.
fn both(context: &Context, test: fn(&Context) -> TestResult) -> TestResult {
    context.load_modules()?;
    ensure!(modules::is_loaded("pinlease"), "the module is not loaded");
    test(context)?;
    let other = RigOptions::new(Side::Pinlease, 4, Fill::Faulted);
    let other = other.build(&context.path("s21-other"))?;
    test(context)?;
    ensure!(
        other.lease()?.query()?.errors == 0,
        "the other lease counts errors"
    );
    Ok(())
}

fn raw(context: &Context) -> Result<Rig> {
    RigOptions::new(Side::Stock, context.pages, Fill::Faulted).build(&context.path("s21"))
}

/// Long-term pins are refused, for they are what loses data.
fn longterm(context: &Context) -> TestResult {
    both(context, |context| {
        let mapped = Mapped::create(&context.path("s21"), 4, Fill::Faulted)?;
        let engine = Engine::open()?;
        let result = engine.pin_raw(mapped.address(0), mapped.length(), true);
        errno("raw long-term pin", result, Errno::EFAULT)?;
        let result = engine.pin_raw(mapped.address(0), mapped.length(), false);
        success("raw pin", result)?;
        ensure!(leases(&mapped)?.is_empty(), "a lease out of nothing");
        Ok(())
    })
}

/// What a raw pin's device writes after an fsync is lost, as ever: pinlease
/// does nothing for memory that nobody leased.
fn loss(context: &Context) -> TestResult {
    both(context, |context| {
        let rig = raw(context)?;
        rig.engine.write_all(1)?;
        rig.fsync()?;
        rig.engine.write_all(2)?;
        rig.fsync()?;
        let census = rig.census(Requirement::Exactly(2))?;
        ensure!(
            census.lost == context.pages,
            "not as on the stock kernel: {census}"
        );
        Ok(())
    })
}

/// Nobody keeps a file from being cut under a raw pin.
fn truncate(context: &Context) -> TestResult {
    both(context, |context| {
        let rig = raw(context)?;
        rig.engine.write_all(1)?;
        rig.fsync()?;
        success("truncate", from_io(rig.mapped.file().set_len(0)))
    })
}
