// SPDX-License-Identifier: GPL-2.0
//! What all tests before have left: memory that nobody points to.

use anyhow::ensure;

use crate::{
    harness::{Context, Test, TestResult},
    support::{kmemleak::leaks, modules},
};

/// The tests of this suite: after all others.
pub const TESTS: &[Test] = &[Test::new("leaks.none", none).seconds(600)];

/// Names of functions are only known while the module is loaded; what only the
/// module pointed to is only a leak afterwards.
fn none(context: &Context) -> TestResult {
    context.load_modules()?;
    let mut found = leaks()?;
    modules::unload_all()?;
    found.extend(leaks()?);
    for report in &found {
        println!("{report}");
    }
    ensure!(found.is_empty(), "{} leaks", found.len());
    Ok(())
}
