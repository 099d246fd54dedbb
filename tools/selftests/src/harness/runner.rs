// SPDX-License-Identifier: GPL-2.0
//! Runs each test in a process of its own: what it leaves open is closed, its
//! crash is its own, and when it hangs the others still run.

use std::{
    env,
    fs::File,
    io::{self, Read, Seek, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use nix::{
    sys::{
        memfd::{memfd_create, MFdFlags},
        signal::{killpg, Signal},
    },
    unistd::Pid,
};

use super::{Context, Event, Outcome, Reporter, Side, Skip, Test};
use crate::support::KernelLog;

/// Names the side and the test that a child process is to run.
pub const CHILD_VARIABLE: &str = "PINLEASE_SELFTEST";

/// Exit status of a skipped test, as kselftest has it.
const SKIPPED: i32 = 4;

/// How long a killed test may take to disappear; a test stuck in the kernel
/// never does.
const BURIAL: Duration = Duration::from_secs(20);

/// Marks the line that says why a test was skipped.
const SKIP_PREFIX: &str = "SKIP ";

/// Runs `tests` on `sides`, each in a child process with this process's
/// arguments; in such a child, runs its test and does not return.
///
/// # Errors
///
/// Processes cannot be started or results cannot be written.
pub fn run(
    tests: &[Test],
    sides: &[Side],
    context: &Context,
    reporter: &mut Reporter<impl Write>,
    time_scale: u32,
) -> Result<()> {
    let runs: Vec<Run<'_>> = sides
        .iter()
        .flat_map(|&side| tests.iter().map(move |test| Run { test, side }))
        .filter(|run| run.test.runs_on(run.side))
        .collect();
    if let Ok(name) = env::var(CHILD_VARIABLE) {
        let run = runs.iter().find(|run| run.name() == name);
        let run = run.with_context(|| format!("no test '{name}'"))?;
        std::process::exit(run.in_child(context));
    }
    reporter.event(&Event::Plan { tests: runs.len() })?;
    for run in runs {
        // What was asked for on top is no hang.
        let more = Duration::from_secs(60 * context.minutes);
        reporter.event(&run.in_parent(time_scale, more)?)?;
    }
    Ok(())
}

/// A test on a side.
struct Run<'a> {
    test: &'a Test,
    side: Side,
}

impl Run<'_> {
    fn name(&self) -> String {
        format!("{}:{}", self.side.name(), self.test.name)
    }

    /// Runs the test in this process; returns the exit status.
    fn in_child(&self, context: &Context) -> i32 {
        let context = Context {
            side: self.side,
            ..context.clone()
        };
        let Err(error) = (self.test.run)(&context) else {
            return 0;
        };
        if let Some(Skip(reason)) = error.downcast_ref() {
            println!("{SKIP_PREFIX}{reason}");
            return SKIPPED;
        }
        println!("{error:#}");
        1
    }

    /// Runs the test in a child and judges it.
    fn in_parent(&self, time_scale: u32, more: Duration) -> Result<Event> {
        let mut log = KernelLog::open().ok();
        let begin = Instant::now();
        let output = File::from(memfd_create("output", MFdFlags::empty())?);
        let child = Command::new(env::current_exe()?)
            .args(env::args_os().skip(1))
            .env(CHILD_VARIABLE, self.name())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output.try_clone()?)
            .process_group(0)
            .spawn()
            .context("starting the test")?;
        let status = wait(child, (self.test.timeout + more) * time_scale)?;

        let mut lines = read_lines(output)?;
        let (mut outcome, reason) = judge(status, &mut lines);
        let splats = log
            .as_mut()
            .map_or_else(Vec::new, |log| log.splats_but(self.test.kernel_may_log));
        if !splats.is_empty() {
            lines.push("the kernel logged:".into());
            lines.extend(splats);
            // What a raw pin does to the stock kernel is no fault of ours.
            if self.side != Side::Stock {
                outcome = Outcome::Failed;
            }
        }
        Ok(Event::Result {
            test: self.test.name.into(),
            side: self.side,
            outcome,
            reason,
            output: lines,
            seconds: begin.elapsed().as_secs_f64(),
        })
    }
}

/// Waits for the child; kills its process group when it takes too long.
/// `None`: it could not even be killed.
fn wait(mut child: Child, timeout: Duration) -> io::Result<Option<ExitStatus>> {
    let mut deadline = Instant::now() + timeout;
    let mut killed = false;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() > deadline {
            if killed {
                return Ok(None);
            }
            // Cannot fail: the child is not reaped yet.
            let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
            killed = true;
            deadline = Instant::now() + BURIAL;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Turns an exit status into an outcome and the reason of a skip.
fn judge(status: Option<ExitStatus>, lines: &mut Vec<String>) -> (Outcome, String) {
    let Some(status) = status else {
        lines.push("took too long and cannot be killed: stuck in the kernel".into());
        return (Outcome::Failed, String::new());
    };
    match status.code() {
        Some(0) => (Outcome::Passed, String::new()),
        Some(SKIPPED) => {
            let last = lines.pop().unwrap_or_default();
            let reason = last.strip_prefix(SKIP_PREFIX).unwrap_or(&last);
            (Outcome::Skipped, reason.into())
        }
        Some(_) => (Outcome::Failed, String::new()),
        None => {
            lines.push(match status.signal() {
                Some(libc::SIGKILL) => "killed: took too long, or by the kernel".into(),
                signal => format!("killed by signal {}", signal.unwrap_or_default()),
            });
            (Outcome::Failed, String::new())
        }
    }
}

fn read_lines(mut output: File) -> io::Result<Vec<String>> {
    let mut bytes = Vec::new();
    output.rewind()?;
    output.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes)
        .lines()
        .map(Into::into)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        let status = |raw| Some(ExitStatus::from_raw(raw));
        let mut lines = vec!["SKIP no disk".to_owned()];
        assert_eq!(
            judge(status(4 << 8), &mut lines),
            (Outcome::Skipped, "no disk".into())
        );
        assert!(lines.is_empty());
        assert_eq!(judge(status(0), &mut lines).0, Outcome::Passed);
        assert_eq!(judge(status(1 << 8), &mut lines).0, Outcome::Failed);
        assert_eq!(judge(status(11), &mut lines).0, Outcome::Failed);
        assert_eq!(judge(None, &mut lines).0, Outcome::Failed);
        assert_eq!(lines.len(), 2);
    }
}
