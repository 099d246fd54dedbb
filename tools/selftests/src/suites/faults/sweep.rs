// SPDX-License-Identifier: GPL-2.0
//! Each operation with each fault that it can meet.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{ensure, Context as _, Result};
use nix::errno::Errno;

use super::{
    injector::{Injector, Numbers},
    scene::{Keeper, Scene},
    table::{Operation, OPERATIONS},
};
use crate::{
    harness::{Context, TestResult},
    support::residue::none_left,
};

/// An operation has fewer places to fail than this.
const MOST: u32 = 5000;

pub fn each(context: &Context) -> TestResult {
    context.load_modules()?;
    let injector = Injector::open()?;
    let keeper = Keeper::new(&context.path("keeper"))?;
    let mut failures = Vec::new();
    for operation in OPERATIONS {
        match sweep(context, &injector, operation) {
            Ok(line) => println!("{line}"),
            Err(error) => {
                println!("{}: {error:#}", operation.name);
                failures.push(operation.name);
            }
        }
    }
    drop(keeper);
    none_left()?;
    ensure!(failures.is_empty(), "{}", failures.join(", "));
    Ok(())
}

/// How often an operation ended how.
#[derive(Default)]
struct Sweep {
    injected: u32,
    outcomes: BTreeMap<String, u32>,
}

fn sweep(context: &Context, injector: &Injector, operation: &Operation) -> Result<String> {
    let mut sweep = Sweep::default();
    let mut end = 0;
    for nth in Numbers::new(Duration::from_secs(context.rounds), 10) {
        end = nth;
        ensure!(nth <= MOST, "it never ends: {nth} faults");
        let hit = once(context, injector, operation, nth, &mut sweep)
            .with_context(|| format!("fault {nth}"))?;
        if !hit {
            break;
        }
    }
    ensure!(
        (sweep.injected == 0) == operation.harmless,
        "{} faults were injected",
        sweep.injected
    );
    let outcomes = sweep
        .outcomes
        .iter()
        .map(|(what, times)| format!("{what} {times}"));
    Ok(format!(
        "{}: {} faults, the last below {end}: {}",
        operation.name,
        sweep.injected,
        outcomes.collect::<Vec<_>>().join(", ")
    ))
}

/// One fault; false when the operation ended before it.
fn once(
    context: &Context,
    injector: &Injector,
    operation: &Operation,
    nth: u32,
    sweep: &mut Sweep,
) -> Result<bool> {
    let mut scene = Scene::new(&context.path("faults"))?;
    (operation.prepare)(&mut scene).context("preparing")?;
    let (result, hit) = injector.inject(nth, || (operation.run)(&mut scene))?;
    let name = match result {
        Ok(()) => "success".to_owned(),
        Err(errno) => format!("{errno:?}"),
    };
    if hit {
        sweep.injected += 1;
        *sweep.outcomes.entry(name.clone()).or_default() += 1;
    }
    if let Err(errno) = result {
        let refused = operation.refused && errno == Errno::ETXTBSY;
        ensure!(hit || refused, "it failed with {name} without a fault");
        ensure!(
            refused || operation.may_fail.contains(&errno),
            "it failed with {name}"
        );
        scene.was_told(errno);
    }
    let told = scene.told;
    scene.saved()?;
    if hit && result.is_err() && !told && !operation.refused {
        (operation.run)(&mut scene).context("again, without a fault")?;
    }
    scene.still_works()?;
    scene.end()?;
    Ok(hit)
}
