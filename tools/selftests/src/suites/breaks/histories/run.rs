// SPDX-License-Identifier: GPL-2.0
//! Runs a history.

use std::{collections::BTreeMap, fmt, os::fd::AsFd, time::Duration};

use anyhow::{bail, Context as _, Result};
use nix::{
    sys::{
        signal::{kill, Signal},
        wait::{waitpid, WaitPidFlag, WaitStatus},
    },
    unistd::Pid,
};
use pinlease::{monotonic, Device, ReadError, Watch};

use super::{
    actor,
    history::{Action, Actor, History, Record, What},
    plan::{Plan, FILES, PAGES},
};
use crate::{
    harness::Context,
    support::{
        channel::{channel, readable, Receiver},
        process, Mapped, Seen,
    },
};

/// No history takes this long unless something hangs.
const HANGS: Duration = Duration::from_secs(30);

/// How often the processes are looked at.
const LOOK: Duration = Duration::from_millis(2);

/// A history under way.
struct Running {
    history: History,
    alive: Vec<usize>,
    kills: Vec<(usize, Duration)>,
    watch: Watch,
    records: Receiver<Record>,
}

/// Runs `plan` and tells what happened.
///
/// # Errors
///
/// A process hangs or fails.
pub fn run(context: &Context, plan: &Plan) -> Result<History> {
    let mut files = Vec::new();
    for number in 0..FILES {
        let path = context.path(&format!("history-{number}"));
        files.push(Mapped::sparse(&path, PAGES)?);
    }
    let watch = Device::open()?.watch()?;
    watch.set_nonblocking(true)?;
    let (log, records) = channel::<Record>()?;
    let start = monotonic() + Duration::from_millis(10 * plan.scripts.len() as u64);
    let mut running = Running {
        history: History::default(),
        alive: Vec::new(),
        kills: plan
            .kills
            .iter()
            .map(|&(actor, at)| (actor, start + at))
            .collect(),
        watch,
        records,
    };
    for (number, script) in plan.scripts.iter().enumerate() {
        let log = log.duplicate()?;
        let child = process::spawn(|| actor::Actor::new(number, script, &files, log)?.run(start))?;
        running.history.actors.push(Actor {
            pid: child.pid().as_raw(),
            ..Default::default()
        });
        running.alive.push(number);
    }
    drop(log);
    let result = running.watch_over();
    if result.is_err() {
        running.give_up();
    }
    result?;
    Ok(running.history)
}

impl Running {
    /// Kills as planned, and collects what is told, until all are gone.
    fn watch_over(&mut self) -> Result<()> {
        let limit = monotonic() + HANGS;
        while !self.alive.is_empty() {
            self.reap()?;
            let now = monotonic();
            let due = self.kills.extract_if_due(now);
            for actor in due {
                self.kill(actor)?;
            }
            self.collect()?;
            if now > limit {
                bail!("it hangs:\n{}{}", self.history, self.whereabouts());
            }
            readable(self.records.as_fd(), LOOK)?;
            // Without writers it is readable for ever.
            std::thread::sleep(LOOK / 4);
        }
        // The last leases end shortly after their processes.
        let settled = monotonic() + Duration::from_millis(500);
        while self.is_leased() && monotonic() < settled {
            std::thread::sleep(LOOK);
            self.collect()?;
        }
        self.collect()
    }

    fn collect(&mut self) -> Result<()> {
        self.history.records.extend(self.records.pending()?);
        loop {
            match self.watch.read_events() {
                Ok(events) => self
                    .history
                    .watched
                    .extend(events.into_iter().map(Seen::from)),
                Err(ReadError::WouldBlock) => return Ok(()),
                Err(error) => return Err(error).context("reading the watch"),
            }
        }
    }

    /// Whether a lease that was acquired is not released.
    fn is_leased(&self) -> bool {
        let count = |word| {
            let events = self.history.watched.iter();
            events.filter(|seen| seen.kind.word() == word).count()
        };
        count("acquired") != count("released")
    }

    fn kill(&mut self, number: usize) -> Result<()> {
        let actor = &mut self.history.actors[number];
        if self.alive.contains(&number) && actor.killed.is_none() {
            actor.killed = Some(monotonic());
            kill(Pid::from_raw(actor.pid), Signal::SIGKILL).context("kill")?;
        }
        Ok(())
    }

    fn reap(&mut self) -> Result<()> {
        for number in self.alive.clone() {
            let actor = &mut self.history.actors[number];
            let status = waitpid(Pid::from_raw(actor.pid), Some(WaitPidFlag::WNOHANG))?;
            match status {
                WaitStatus::StillAlive => continue,
                WaitStatus::Exited(_, 0) => {}
                WaitStatus::Signaled(_, Signal::SIGKILL, _) => actor.by_sigkill = true,
                other => bail!("actor {number} ended with {other:?}\n{}", self.history),
            }
            actor.gone = monotonic();
            self.alive.retain(|&other| other != number);
        }
        Ok(())
    }

    fn whereabouts(&self) -> String {
        let mut text = String::new();
        for &number in &self.alive {
            let pid = Pid::from_raw(self.history.actors[number].pid);
            text += &format!("actor {number}: {}\n", process::whereabouts(pid));
        }
        text
    }

    fn give_up(&mut self) {
        for number in self.alive.clone() {
            let pid = Pid::from_raw(self.history.actors[number].pid);
            let _ = kill(pid, Signal::SIGKILL);
            let _ = waitpid(pid, Some(WaitPidFlag::WNOHANG));
        }
    }
}

/// Taking out what is due.
trait ExtractDue {
    fn extract_if_due(&mut self, now: Duration) -> Vec<usize>;
}

impl ExtractDue for Vec<(usize, Duration)> {
    fn extract_if_due(&mut self, now: Duration) -> Vec<usize> {
        let (due, later): (Vec<_>, Vec<_>) = self.iter().partition(|(_, at)| *at <= now);
        *self = later;
        due.into_iter().map(|(actor, _)| actor).collect()
    }
}

/// What several histories had in them.
#[derive(Debug, Default)]
pub struct Sum(BTreeMap<String, u64>);

impl Sum {
    /// Adds one.
    pub fn add(&mut self, history: &History) {
        let mut count = |what: &str| *self.0.entry(what.to_owned()).or_default() += 1;
        for seen in &history.watched {
            count(seen.kind.word());
        }
        for actor in &history.actors {
            if actor.by_sigkill {
                let by = actor
                    .killed
                    .map_or("killed by policy", |_| "killed from outside");
                count(by);
            }
        }
        for record in &history.records {
            if matches!(record.what, What::Begin(Action::Break(_))) {
                count("operations");
            }
        }
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> = self
            .0
            .iter()
            .map(|(what, n)| format!("{n} {what}"))
            .collect();
        f.write_str(&counts.join(", "))
    }
}
