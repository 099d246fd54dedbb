// SPDX-License-Identifier: GPL-2.0
//! Random histories of holders, breakers, kills and closes, and a checker that
//! knows nothing of the module but the rules of its interface.

mod actor;
mod checker;
mod facts;
mod history;
mod plan;
mod run;

use std::time::Instant;

use anyhow::{bail, Context as _};

use crate::{
    harness::{skip, Context, Test, TestResult},
    support::residue,
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[Test::new("breaks.histories", histories).seconds(7200)];

/// Runs and checks them; a failure says which seed shows it again.
fn histories(context: &Context) -> TestResult {
    if context.histories == 0 {
        return skip("--histories 0");
    }
    context.load_modules()?;
    let first = context.seed();
    println!("seed {first}");
    let begin = Instant::now();
    let mut sum = run::Sum::default();
    for number in 0..context.histories {
        let seed = first.wrapping_add(number);
        let again = || format!("again: --histories 1 --seed {seed}");
        let plan = plan::Plan::random(seed);
        let history = run::run(context, &plan).with_context(again)?;
        let violations = checker::check(&history);
        if !violations.is_empty() {
            println!("{history}");
            bail!("{}\n{}", violations.join("\n"), again());
        }
        residue::none_left().with_context(again)?;
        sum.add(&history);
    }
    println!(
        "{} histories in {:?}: {sum}",
        context.histories,
        begin.elapsed()
    );
    Ok(())
}
