// SPDX-License-Identifier: GPL-2.0
//! Does again what was found once.

use std::path::Path;

use anyhow::{ensure, Result};
use selftests::{
    harness::Side,
    support::{modules, residue::none_left, KernelLog},
};

use crate::{
    corpus,
    crew::{last_lease, open_to_all, Options},
    finding::Finding,
    run::run,
    tally::Uncounted,
    world::{Files, World},
};

/// Does the sequences of `path`, each so many times; true if nothing is wrong.
///
/// # Errors
///
/// There is none, or the test itself is broken.
pub fn replay(path: &Path, times: u32, options: &Options) -> Result<bool> {
    modules::ensure(&options.modules, Side::Pinlease)?;
    open_to_all()?;
    let sequences = corpus::read(path)?;
    ensure!(!sequences.is_empty(), "no sequence in {}", path.display());
    let mut log = KernelLog::open()?;
    let files = Files::make(&options.dir, 0)?;
    let mut world = World::new(&files, 0, last_lease()?)?;
    let mut good = true;
    for (name, sequence) in sequences {
        let mut steps = 0;
        for _ in 0..times {
            let done = run(&mut world, sequence.0.iter().copied(), &Uncounted, None)?;
            steps += done.sequence.0.len();
            if let Some(what) = done.finding {
                let sequence = done.sequence;
                println!("{}", Finding { what, sequence }.line()?);
                good = false;
            }
        }
        let splats = log.splats();
        if !splats.is_empty() {
            println!("{name}: the kernel logged: {}", splats.join("; "));
            good = false;
        }
        println!("{name}: {steps} operations");
    }
    drop(world);
    drop(files);
    none_left()?;
    Ok(good)
}
