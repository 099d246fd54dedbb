// SPDX-License-Identifier: GPL-2.0
//! Holders and breakers that come and go: cells of the matrix of policies, at
//! random, each process in a folder of its own.

use std::fs;

use super::{tally::Count, Ground};
use crate::{
    harness::{Context, TestResult},
    suites::breaks::matrix::random_cells,
};

/// Runs one after the other until the end.
pub fn run(ground: &Ground, context: &Context, number: u64) -> TestResult {
    let mut random = ground.random(200 + number);
    ground.wait_for_devices();
    let context = Context {
        dir: ground.breaks.join(number.to_string()),
        ..context.clone()
    };
    fs::create_dir(&context.dir)?;
    let mut begun = 0_u64;
    random_cells(&context, "soak", &mut random, || {
        if begun > 0 {
            ground.tally.count(Count::Breaks);
        }
        begun += 1;
        ground.tally.get(Count::Stop) != 0
    })
}
