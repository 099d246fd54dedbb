// SPDX-License-Identifier: GPL-2.0
//! What happened, as the processes and the watch tell it.

use std::{fmt, ops::Range, time::Duration};

use pinlease::Policy;
use serde::{Deserialize, Serialize};

use crate::support::Seen;

/// A lease as it is asked for.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Terms {
    pub file: usize,
    pub pages: Range<u64>,
    #[serde(with = "by_name")]
    pub policy: Policy,
    pub grace: Duration,
}

/// An operation that may conflict.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Attempt {
    pub file: usize,
    pub pages: Range<u64>,
    pub means: Means,
    pub nonblock: bool,
    /// After this time it gets a signal.
    pub interrupt: Option<Duration>,
}

/// How it is done.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Means {
    Punch,
    Zero,
    Write,
    Truncate,
}

/// What a process does.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Action {
    Acquire(Terms),
    Pin(Range<u64>),
    Unpin,
    Shrink(Range<u64>),
    Close,
    Break(Attempt),
    /// Ends, and everything that it has.
    Exit,
}

/// A line of a process's log.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Record {
    pub actor: usize,
    pub at: Duration,
    pub what: What,
}

/// What it says.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum What {
    /// It is about to do this.
    Begin(Action),
    /// It has done it, with this errno or 0; `lease` is the id of a new one.
    End { errno: i32, lease: u64 },
    /// It has read this from its lease.
    Event(Seen),
}

/// A process.
#[derive(Clone, Debug, Default)]
pub struct Actor {
    pub pid: i32,
    /// When it was killed from outside, just before.
    pub killed: Option<Duration>,
    /// Whether SIGKILL was its end.
    pub by_sigkill: bool,
    /// When it was seen to be gone.
    pub gone: Duration,
}

/// All that is known.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub actors: Vec<Actor>,
    /// By actor in the order in which they happened.
    pub records: Vec<Record>,
    /// What the watch told.
    pub watched: Vec<Seen>,
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<(Duration, String)> = Vec::new();
        for record in &self.records {
            let text = format!("actor {}: {:?}", record.actor, record.what);
            lines.push((record.at, text));
        }
        for seen in &self.watched {
            lines.push((seen.time, format!("watch: {seen:?}")));
        }
        for (number, actor) in self.actors.iter().enumerate() {
            if let Some(at) = actor.killed {
                lines.push((at, format!("actor {number}: killed from outside")));
            }
            let how = if actor.by_sigkill {
                "by SIGKILL"
            } else {
                "itself"
            };
            let text = format!("actor {number}, pid {}: gone, {how}", actor.pid);
            lines.push((actor.gone, text));
        }
        lines.sort_by_key(|(at, _)| *at);
        for (at, text) in lines {
            writeln!(f, "{:>12.6} {text}", at.as_secs_f64())?;
        }
        Ok(())
    }
}

/// Policies by their names.
mod by_name {
    use pinlease::Policy;
    use serde::{de::Error, Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(policy: &Policy, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(policy)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Policy, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}
