// SPDX-License-Identifier: GPL-2.0
//! Lines of `trace_pipe`.

use std::{fmt, time::Duration};

use humantime::format_rfc3339_millis;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::{
    event_line::Now,
    file_id::FileId,
    units::{nanoseconds, printable},
};

/// The column in which a process's name ends: the kernel fills it up to this.
const COMM_END: usize = 16;

/// The field whose value is the rest of the line.
const LAST_FIELD: &str = "holder_comm";

/// What a line tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// When, CLOCK_MONOTONIC.
    pub time: Duration,
    cpu: Option<u32>,
    pid: Option<i32>,
    comm: Option<String>,
    /// The tracepoint; `None`: some were lost.
    event: Option<String>,
    fields: Fields,
}

/// The fields of a tracepoint, in its order.
#[derive(Clone, Debug, Default, PartialEq)]
struct Fields(Vec<(String, Value)>);

impl Fields {
    fn get(&self, name: &str) -> Option<&Value> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value)
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// A line as JSON has it; its `Display` is one line of text.
#[derive(Debug, Serialize)]
pub struct Traced<'a> {
    /// When it happened, UTC.
    time: String,
    /// The same by CLOCK_MONOTONIC.
    time_ns: u64,
    /// The tracepoint; `null`: some were lost.
    trace: Option<&'a str>,
    cpu: Option<u32>,
    pid: Option<i32>,
    comm: Option<&'a str>,
    fields: &'a Fields,
}

impl Line {
    /// Reads a line such as
    /// `            bash-123     [000] .....    12.345678: pin: dev 254:16 ino 12 ...`; `None`: it is none,
    /// such as the second half of one with a process's name that has a line break in it.
    pub fn parse(line: &[u8]) -> Option<Self> {
        if line.starts_with(b"CPU:") {
            return Self::lost(&String::from_utf8_lossy(line));
        }
        let (comm, rest) = line.split_at_checked(COMM_END)?;
        let rest = String::from_utf8_lossy(rest.strip_prefix(b"-")?).into_owned();
        let (pid, rest) = rest.split_once(" [").or_else(|| rest.split_once('['))?;
        let (cpu, rest) = rest.split_once("] ")?;
        let (_flags, rest) = rest.split_once(' ')?;
        let (time, rest) = rest.trim_start().split_once(": ")?;
        let (event, payload) = rest.split_once(": ")?;
        Some(Self {
            time: seconds(time)?,
            cpu: Some(cpu.parse().ok()?),
            pid: Some(pid.trim().parse().ok()?),
            comm: Some(String::from_utf8_lossy(comm).trim_start().to_owned()),
            event: Some(event.to_owned()),
            fields: fields(payload),
        })
    }

    /// Reads `CPU:1 [LOST 5 EVENTS]`.
    fn lost(line: &str) -> Option<Self> {
        let (cpu, rest) = line.strip_prefix("CPU:")?.split_once(" [LOST ")?;
        let lost = rest.split(' ').next()?.parse::<u64>();
        let lost = lost.map_or(Value::Null, Value::from);
        Some(Self {
            time: pinlease::monotonic(),
            cpu: Some(cpu.parse().ok()?),
            pid: None,
            comm: None,
            event: None,
            fields: Fields(vec![("lost".into(), lost)]),
        })
    }

    /// Whether it is about one of these files, or may be; hooks are of all.
    pub fn is_of_any(&self, files: &[FileId]) -> bool {
        let (Some(Value::String(device)), Some(inode)) = (
            self.fields.get("dev"),
            self.fields.get("ino").and_then(Value::as_u64),
        ) else {
            return true;
        };
        let device = device.split_once(':').and_then(|(major, minor)| {
            let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
            Some((major, minor))
        });
        device.is_some_and(|(major, minor)| {
            files
                .iter()
                .any(|file| file.is_traced_as(major, minor, inode))
        })
    }

    /// As it is printed.
    pub fn traced(&self, now: Now) -> Traced<'_> {
        let ago = now.monotonic.saturating_sub(self.time);
        let wall = now.wall.checked_sub(ago).unwrap_or(now.wall);
        Traced {
            time: format_rfc3339_millis(wall).to_string(),
            time_ns: nanoseconds(self.time),
            trace: self.event.as_deref(),
            cpu: self.cpu,
            pid: self.pid,
            comm: self.comm.as_deref(),
            fields: &self.fields,
        }
    }
}

impl fmt::Display for Traced<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} trace {}:",
            self.time,
            self.trace.unwrap_or("overflow")
        )?;
        for (name, value) in &self.fields.0 {
            match value {
                Value::String(text) => write!(f, " {name} {}", printable(text))?,
                other => write!(f, " {name} {other}")?,
            }
        }
        match (self.pid, self.comm) {
            (Some(pid), Some(comm)) => write!(f, " by {pid} {}", printable(comm)),
            _ => Ok(()),
        }
    }
}

/// `12.345678`.
fn seconds(text: &str) -> Option<Duration> {
    let (seconds, microseconds) = text.split_once('.')?;
    let seconds = Duration::from_secs(seconds.parse().ok()?);
    Some(seconds + Duration::from_micros(microseconds.parse().ok()?))
}

/// `name value name value ...`.
fn fields(payload: &str) -> Fields {
    let mut fields = Fields::default();
    let mut rest = payload;
    while let Some((name, after)) = rest.split_once(' ') {
        let (value, after) = match name {
            LAST_FIELD => (after, ""),
            _ => after.split_once(' ').unwrap_or((after, "")),
        };
        let number = value.parse::<i64>().map(Value::from);
        let number = number.or_else(|_| value.parse::<u64>().map(Value::from));
        let value = number.unwrap_or_else(|_| value.into());
        fields.0.push((name.to_owned(), value));
        rest = after;
    }
    fields
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    const BREAK: &str = "            bash-123     [001] d..1.    12.345678: lease_break: dev 254:16 ino 12 \
                         lease 7 policy kill breaker 3 operation truncate offset 0 length 9223372036854775808 \
                         holder 42 holder_comm ib write [x]";

    fn now() -> Now {
        Now {
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000),
            monotonic: Duration::from_secs(13),
        }
    }

    fn parse(line: &str) -> Option<Line> {
        Line::parse(line.as_bytes())
    }

    #[test]
    fn all_of_a_line() {
        let line = parse(BREAK).unwrap();
        assert_eq!(line.time, Duration::from_micros(12_345_678));
        let json = serde_json::to_value(line.traced(now())).unwrap();
        assert_eq!(json["trace"], "lease_break");
        assert_eq!((&json["pid"], &json["comm"]), (&123.into(), &"bash".into()));
        assert_eq!(json["cpu"], 1);
        assert_eq!(json["time_ns"], 12_345_678_000_u64);
        assert_eq!(json["fields"]["length"], 1_u64 << 63);
        assert_eq!(json["fields"]["dev"], "254:16");
        assert_eq!(json["fields"]["holder_comm"], "ib write [x]");
    }

    #[test]
    fn text() {
        let line = parse(
            "     kworker/0:1-9       [000] .....  12.000000: rearm: dev 1:2 ino 3 lease 4 index 0 pages 1 result -28",
        );
        assert_eq!(
            line.unwrap().traced(now()).to_string(),
            "2001-09-09T01:46:39.000Z trace rearm: dev 1:2 ino 3 lease 4 index 0 pages 1 result -28 \
             by 9 kworker/0:1"
        );
    }

    #[test]
    fn names_cannot_pretend() {
        // A name that looks like the rest of a line.
        let line =
            parse("  -1 [0] . 1.0: -77      [003] .....  12.500000: hook_remove: name fsync");
        let line = line.unwrap();
        assert_eq!(line.comm.as_deref(), Some("-1 [0] . 1.0: "));
        assert_eq!(
            (line.pid, line.event.as_deref()),
            (Some(77), Some("hook_remove"))
        );
        // The halves of a line with a line break in its name.
        assert_eq!(parse("               a"), None);
        assert_eq!(
            parse("b-123     [001] .....    12.345678: pin: dev 1:2"),
            None
        );
        for damaged in ["", "x", &BREAK[..30], &BREAK[..40]] {
            assert_eq!(parse(damaged), None, "{damaged:?}");
        }
    }

    #[test]
    fn what_was_lost() {
        let line = parse("CPU:1 [LOST 5 EVENTS]").unwrap();
        assert!(line
            .traced(now())
            .to_string()
            .ends_with(" trace overflow: lost 5"));
        assert!(line.is_of_any(&[]));
    }

    #[test]
    fn files() {
        let exe = std::env::current_exe().unwrap();
        let file = FileId::of(&exe).unwrap();
        assert!(!parse(BREAK).unwrap().is_of_any(&[file]));
        let hook = "            bash-1       [001] .....    12.345678: hook_install: name fsync";
        assert!(parse(hook).unwrap().is_of_any(&[file]));
    }
}
