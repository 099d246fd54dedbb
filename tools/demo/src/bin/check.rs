// SPDX-License-Identifier: GPL-2.0
//! The host's runner of the selftests: boots guests, sums up, and writes `check.json`, or
//! `check-debug.json`.

use std::{process::ExitCode, sync::Mutex, thread};

use anyhow::Result;
use clap::Parser;
use demo::{
    guest::GuestOptions,
    output::{write_json, Progress},
    verdict::{Report, Verdict},
};
use selftests::{
    harness::{Event, Outcome, Side},
    support::Filesystem,
};

/// Runs the selftests in guests, with their controls.
///
/// The last line is "N passed, N failed, N skipped"; the exit status is 0 when
/// none failed and some passed.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    guest: GuestOptions,
    /// Sides to run.
    #[arg(long = "side", value_enum, default_values = ["stock", "pinlease", "grant"])]
    sides: Vec<Side>,
    /// Guests at a time; each is emulated by one or two processors.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..))]
    jobs: u8,
    /// Rounds of the test that loads and unloads the module.
    #[arg(long, default_value_t = 10)]
    cycles: u64,
    /// Minutes of the long tests: of the soak, and that a lease is idle; 0:
    /// seconds.
    #[arg(long, default_value_t = 0)]
    minutes: u64,
    /// Multiplies the time limits, for slow machines.
    #[arg(long, default_value_t = 1)]
    time_scale: u32,
    /// Suites, tests, or beginnings of their names; all when there is none.
    tests: Vec<String>,
}

impl Cli {
    /// What guests there are: of everything, one for each side of each filesystem, those that take
    /// longest first, so that all workers end at about the same time; of a few tests, one for each
    /// filesystem.
    fn guests(&self) -> Vec<(Filesystem, Vec<Side>)> {
        let mut filesystems = self.guest.parts.filesystems();
        // The slowest is the last.
        filesystems.reverse();
        let groups = match self.tests.is_empty() {
            false => vec![self.sides.clone()],
            true => [Side::Pinlease, Side::Grant, Side::Stock]
                .into_iter()
                .filter(|side| self.sides.contains(side))
                .map(|side| vec![side])
                .collect(),
        };
        let of_group = |sides: Vec<Side>| filesystems.iter().map(move |&fs| (fs, sides.clone()));
        groups.into_iter().flat_map(of_group).collect()
    }
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    let report = Mutex::default();
    let progress = Progress::new(0);
    let waiting = Mutex::new(cli.guests().into_iter());
    let next = || waiting.lock().expect("no thread panics").next();
    let work = || {
        while let Some((filesystem, sides)) = next() {
            run(&cli, filesystem, &sides, &report, &progress)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let jobs: Vec<_> = (0..cli.jobs).map(|_| scope.spawn(work)).collect();
        jobs.into_iter()
            .try_for_each(|job| job.join().expect("no thread panics"))
    })
    .and_then(|()| {
        write(
            &cli,
            progress,
            report.into_inner().expect("no thread panics"),
        )
    })
}

/// Writes the report, and says what failed.
fn write(cli: &Cli, progress: Progress, report: Report) -> Result<ExitCode> {
    drop(progress);
    write_json(
        &cli.guest.parts.out,
        cli.guest.parts.kernel.results(),
        &report,
    )?;
    for (reason, tests) in report.skipped_by_reason() {
        println!("SKIPPED, {reason}: {}", tests.join(", "));
    }
    for verdict in &report.tests {
        if verdict.outcome == Outcome::Failed {
            println!("FAILED {}", verdict.name());
            for line in &verdict.output {
                println!("    {line}");
            }
        }
    }
    let Report {
        passed,
        failed,
        skipped,
        ..
    } = report;
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    Ok(if failed == 0 && passed > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs the tests of some sides on one filesystem, in a guest of their own.
fn run(
    cli: &Cli,
    fs: Filesystem,
    sides: &[Side],
    report: &Mutex<Report>,
    progress: &Progress,
) -> Result<()> {
    let add = |event| {
        let mut report = report.lock().expect("no thread panics");
        count(&mut report, fs, event, progress);
    };
    progress.doing(format!("{fs}: booting a guest"));
    let mut arguments = vec!["run".into(), "--format=json".into()];
    arguments.extend(sides.iter().map(|side| format!("--side={}", side.name())));
    arguments.extend(cli.guest.context(fs));
    arguments.push(format!("--cycles={}", cli.cycles));
    arguments.push(format!("--minutes={}", cli.minutes));
    let time_scale = cli.time_scale * cli.guest.parts.kernel.slowness();
    arguments.push(format!("--time-scale={time_scale}"));
    arguments.extend(cli.tests.iter().cloned());

    let mut planned = None;
    let mut seen = 0;
    let ended = cli.guest.run(
        fs,
        "selftests",
        &arguments,
        |line| match serde_json::from_str(line) {
            Ok(Event::Plan { tests }) => {
                planned = Some(tests);
                progress.more(tests as u64);
            }
            Ok(event) => {
                seen += 1;
                add(event);
            }
            Err(_) => progress.line(line),
        },
    )?;
    if planned != Some(seen) {
        let output = vec![
            format!("ended with {} after {seen} tests", ended.status),
            ended.complaints,
        ];
        let event = Event::Result {
            test: "guest".into(),
            side: Side::Pinlease,
            outcome: Outcome::Failed,
            reason: String::new(),
            output,
            seconds: 0.0,
        };
        add(event);
    }
    Ok(())
}

/// Counts a result.
fn count(report: &mut Report, fs: Filesystem, event: Event, progress: &Progress) {
    let Event::Result {
        test,
        side,
        outcome,
        reason,
        output,
        seconds,
    } = event
    else {
        return;
    };
    let word = match outcome {
        Outcome::Passed => {
            report.passed += 1;
            "ok"
        }
        Outcome::Failed => {
            report.failed += 1;
            "FAILED"
        }
        Outcome::Skipped => {
            report.skipped += 1;
            "skipped:"
        }
    };
    let verdict = Verdict {
        fs,
        side,
        test,
        outcome,
        reason,
        seconds,
        output,
    };
    let name = verdict.name();
    progress.done(&format!(
        "{name}: {word} {} ({seconds:.1} s)",
        verdict.reason
    ));
    report.tests.push(verdict);
}
