// SPDX-License-Identifier: GPL-2.0
//! Breaks: whoever detaches, moves or shares leased bytes waits for the holder,
//! and then the lease's policy acts.

mod coexist;
mod crossed;
mod events;
mod exits;
mod flow;
mod histories;
mod hostile;
mod limits;
pub mod matrix;
mod ranges;
mod scale;
mod ways;

use anyhow::Result;

use crate::{
    harness::{Context, Test},
    support::breakers::Breaker,
};

/// The tests of this suite.
pub fn tests() -> Vec<Test> {
    [
        OWN,
        events::TESTS,
        exits::TESTS,
        crossed::TESTS,
        limits::TESTS,
        coexist::TESTS,
        scale::TESTS,
        hostile::TESTS,
        histories::TESTS,
    ]
    .concat()
}

const OWN: &[Test] = &[
    Test::new("breaks.matrix", matrix::matrix).seconds(600),
    Test::new("breaks.flow", flow::flow),
    Test::new("breaks.overlapping", ranges::overlapping),
    Test::new("breaks.beside", ranges::beside),
    Test::new("breaks.ordinary", ranges::ordinary),
    Test::new("breaks.ways", ways::ways).seconds(300),
];

/// The breakers of this filesystem and kernel.
fn here(context: &Context) -> Result<Vec<&'static Breaker>> {
    let mut here = Vec::new();
    for breaker in Breaker::on(context.filesystem()?) {
        if breaker.exists(&context.dir)? {
            here.push(breaker);
        } else {
            println!("{}: not here", breaker.name);
        }
    }
    Ok(here)
}
