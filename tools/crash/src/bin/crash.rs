// SPDX-License-Identifier: GPL-2.0
//! The program for the host.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use anyhow::{ensure, Context, Result};
use clap::Parser;
use crash::host::{options::Options, report::Tally, run::Run, sitting::Sitting};
use selftests::{harness::Side, support::Filesystem};

fn main() -> ExitCode {
    let options = Options::parse();
    let result = match &options.replay {
        Some(folder) => replay(&options, folder),
        None => check(&options),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("crash: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// A folder for what is not needed afterwards, in the tree, which guests can reach.
struct Work(PathBuf);

impl Work {
    fn new(options: &Options) -> Result<Self> {
        let path = options.parts.out.join("crash.work");
        // What was interrupted left it behind.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path.canonicalize()?))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn check(options: &Options) -> Result<bool> {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    eprintln!("crash: seed {seed}");
    let work = Work::new(options)?;
    let lines = File::create(options.parts.out.join("crash.jsonl"))?;
    let mut tally = Tally::default();
    let (mut last, mut right, mut failures) = (Vec::new(), true, 0);
    for filesystem in options.parts.filesystems() {
        let mut sitting = Sitting::new(options, filesystem, &work.0, &lines);
        // All runs first, so that there is never more than one guest.
        let mut runs = Vec::new();
        for side in sides(options) {
            for (index, run) in Run::all(filesystem, side, options, seed).enumerate() {
                let log = work.0.join(format!("{}-{index}.log", side.name()));
                failures += boot(&run, options, &log)?;
                runs.push((run, log));
            }
        }
        for (run, log) in runs {
            judge(options, &mut sitting, &run, &log, &mut tally)?;
        }
        sitting.end()?;
        let (line, good) = outcome(options, filesystem, &tally);
        last.push(line);
        right &= good;
    }
    for line in last {
        println!("{line}");
    }
    ensure!(
        failures == 0,
        "{failures} runs failed and were repeated: see above"
    );
    Ok(right)
}

/// Boots the guest of a run; once more if that fails, so that one failure does not end all. Returns how many there were.
fn boot(run: &Run, options: &Options, log: &Path) -> Result<u32> {
    let begin = Instant::now();
    let mut failures = 0;
    while let Err(error) = run.boot(options, log) {
        if failures > 0 {
            return Err(error);
        }
        eprintln!("crash: {error:#}");
        failures += 1;
    }
    say(run, "run", begin);
    Ok(failures)
}

fn sides(options: &Options) -> Vec<Side> {
    if options.mutant.is_some() {
        vec![Side::Pinlease]
    } else {
        Side::BOTH.into()
    }
}

/// Judges a run, keeps its log if it is worth that, and throws it away.
fn judge(
    options: &Options,
    sitting: &mut Sitting<'_>,
    run: &Run,
    log: &Path,
    tally: &mut Tally,
) -> Result<()> {
    let begin = Instant::now();
    let violations = sitting.judge(run, log, tally)?;
    say(run, &format!("{violations} violations"), begin);
    let unexpected = violations > 0 && run.side != Side::Stock && run.mutant.is_none();
    if options.keep_all || unexpected {
        let kept = run.keep(log, &options.keep())?;
        eprintln!("crash: its log is kept in {}", kept.display());
    }
    fs::remove_file(log)?;
    Ok(())
}

fn say(run: &Run, what: &str, begin: Instant) {
    let Run {
        filesystem,
        side,
        seed,
        cuts,
        ..
    } = run;
    eprintln!(
        "crash: {filesystem}, {}, seed {seed}, {cuts} cuts: {what} ({:.1} s)",
        side.name(),
        begin.elapsed().as_secs_f64()
    );
}

/// The line of a filesystem, and whether it is what it should be.
fn outcome(options: &Options, filesystem: Filesystem, tally: &Tally) -> (String, bool) {
    match options.mutant {
        None => tally.line(filesystem, options.cuts),
        Some(mutant) => {
            let count = tally.of(filesystem, Side::Pinlease);
            let found = count.violations > 0 && count.cuts == options.cuts;
            let name = mutant.name();
            (format!("crash: {filesystem} mutant {name} {count}"), found)
        }
    }
}

fn replay(options: &Options, folder: &Path) -> Result<bool> {
    let (run, log) = Run::kept(folder)?;
    let work = Work::new(options)?;
    let lines = File::create(options.parts.out.join("crash.jsonl"))?;
    let mut tally = Tally::default();
    let mut sitting = Sitting::new(options, run.filesystem, &work.0, &lines);
    sitting.judge(&run, &log, &mut tally)?;
    sitting.end()?;
    let count = tally.of(run.filesystem, run.side);
    println!("crash: {} {} {count}", run.filesystem, run.side.name());
    Ok(count.violations == 0)
}
