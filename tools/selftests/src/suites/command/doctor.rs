// SPDX-License-Identifier: GPL-2.0
//! `pinlease doctor`.

use anyhow::{ensure, Context as _, Result};
use pinlease::DEVICE_PATH;
use serde_json::{json, Value};

use super::common::{field, parse, pinlease, setup};
use crate::{
    harness::{Context, TestResult},
    support::modules,
};

/// Healthy with the module, and a lease proves it; not without.
pub fn health(context: &Context) -> TestResult {
    let (device, _mapped) = setup(context, "doctor")?;
    let folder = context.path("").display().to_string();
    let report = doctor(context, &["--try", &folder], true)?;
    field(find(&report, "trial")?, "verdict", "ok")?;
    field(find(&report, "configuration")?, "verdict", "ok")?;
    field(
        find(&report, "device")?,
        "found",
        format!("{DEVICE_PATH} can be opened"),
    )?;
    let version = find(&report, "module")?;
    field(version, "verdict", "ok")?;
    let shown = format!("{} (", folder.trim_end_matches('/'));
    let ours = |check: &&Value| {
        check["name"] == "filesystem"
            && check["found"]
                .as_str()
                .is_some_and(|at| at.starts_with(&shown))
    };
    let filesystem = checks(&report)?.iter().find(ours);
    field(
        filesystem.with_context(|| format!("no {folder}: {report}"))?,
        "verdict",
        "ok",
    )?;

    drop(device);
    modules::unload_all()?;
    let report = doctor(context, &[], false)?;
    field(find(&report, "module")?, "verdict", "failed")?;
    context.load_modules()?;
    doctor(context, &[], true).map(drop)
}

/// Runs it; `healthy` is what it must say, in both ways.
fn doctor(context: &Context, more: &[&str], healthy: bool) -> Result<Value> {
    let output = pinlease(context, &[&["doctor", "--json"], more].concat())?.output()?;
    let report = parse(&String::from_utf8(output.stdout)?)?;
    ensure!(
        output.status.success() == healthy && report["healthy"] == json!(healthy),
        "{}: {report}",
        output.status
    );
    Ok(report)
}

fn checks(report: &Value) -> Result<&Vec<Value>> {
    report["checks"].as_array().context("no checks")
}

fn find<'a>(report: &'a Value, name: &str) -> Result<&'a Value> {
    let found = checks(report)?.iter().find(|check| check["name"] == name);
    found.with_context(|| format!("no {name}: {report}"))
}
