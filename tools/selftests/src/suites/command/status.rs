// SPDX-License-Identifier: GPL-2.0
//! `pinlease status`.

use std::time::Duration;

use anyhow::{ensure, Context as _};
use pinlease::PinOptions;
use serde_json::{json, Value};

use super::common::{field, json, parse, pinlease, run, setup, PAGE};
use crate::{
    harness::{Context, TestResult},
    support::{modules, page_size, proc::wait_for},
};

/// Leases, pins, hooks and locks are counted.
pub fn numbers(context: &Context) -> TestResult {
    let (device, mapped) = setup(context, "status")?;
    // The kernel's lock core may let go a little later than the module.
    let mut idle = Value::Null;
    let unlocked = || {
        idle = json(context, &["status", "--json"])?;
        Ok(idle["locks"] == json!([]))
    };
    wait_for("no lock", Duration::from_secs(10), unlocked).with_context(|| idle.to_string())?;
    field(&idle["leases"], "leases", 0)?;
    field(&idle["leases"], "pins", 0)?;
    field(&idle, "device_error", Value::Null)?;
    ensure!(idle["module"].is_string(), "{idle}");

    let first = device.lease(&mapped).range(0, PAGE).acquire()?;
    let second = device.lease(&mapped).range(PAGE, PAGE).acquire()?;
    let pin = first.pin(mapped.address(0), page_size(), PinOptions::default())?;
    let busy = json(context, &["status", "--json"])?;
    field(&busy["leases"], "leases", 2)?;
    field(&busy["leases"], "pins", 1)?;
    field(&busy["leases"], "pinned_bytes", PAGE)?;
    ensure!(
        busy["hooks"]
            .as_array()
            .is_some_and(|hooks| !hooks.is_empty()),
        "no hooks: {busy}"
    );
    ensure!(
        busy["locks"].as_array().map_or(0, Vec::len) == 1,
        "not one lock for the file: {busy}"
    );
    let text = run(context, &["status"])?;
    for line in [
        "module: loaded, version ",
        "device: /dev/pinlease can be opened",
        "leases: 2, with 1 pins of 4K bytes",
    ] {
        ensure!(
            text.lines().any(|found| found.starts_with(line)),
            "no '{line}': {text}"
        );
    }
    pin.release()?;
    drop((first, second));
    Ok(())
}

/// Without the module it fails, and says what to do.
pub fn unloaded(context: &Context) -> TestResult {
    drop(setup(context, "status-unloaded")?);
    for module in ["dmasim", "pinlease"] {
        let unloaded = || Ok(modules::unload(module).is_ok());
        wait_for("the module is unloaded", Duration::from_secs(10), unloaded)?;
    }
    let result = pinlease(context, &["status", "--json"])?.output()?;
    ensure!(result.status.code() == Some(1), "{}", result.status);
    let report = parse(&String::from_utf8(result.stdout)?)?;
    field(&report, "module", Value::Null)?;
    field(&report, "leases", Value::Null)?;
    field(&report, "hooks", json!([]))?;
    let error = report["device_error"].as_str().unwrap_or_default();
    ensure!(error.contains("the module is not loaded"), "{report}");
    Ok(())
}
