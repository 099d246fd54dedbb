// SPDX-License-Identifier: GPL-2.0
//! What the kernel logs while a test runs.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read, Seek, SeekFrom},
    os::unix::fs::OpenOptionsExt,
};

use anyhow::{Context, Result};
use pinlease_vm::console::is_suspicious;

/// What ext4 says of a page that was dirtied behind its back: it drops what was written there.
const LOSS: &str = "data will be lost";

/// Ends a line of a stack trace that is of the module.
const FRAME: &str = " [pinlease]";

/// Lines before the first that is wrong: the head of a report whose first words are not known to us.
const BEFORE: usize = 5;

/// Lines after the last: a stack trace.
const AFTER: usize = 40;

/// Lines in all.
const AT_MOST: usize = 150;

/// The log from now on.
#[derive(Debug)]
pub struct KernelLog(File);

impl KernelLog {
    /// Begins to listen.
    ///
    /// # Errors
    ///
    /// /dev/kmsg cannot be read.
    pub fn open() -> Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/kmsg")
            .context("opening /dev/kmsg")?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self(file))
    }

    /// The messages since the last call.
    pub fn messages(&mut self) -> Vec<String> {
        let mut messages = Vec::new();
        let mut record = [0; 8192];
        loop {
            match self.0.read(&mut record) {
                Ok(length) => messages.push(message(&record[..length])),
                // Records that were overwritten before they were read.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
                Err(_) => return messages,
            }
        }
    }

    /// Those that tell of a kernel in trouble.
    pub fn splats(&mut self) -> Vec<String> {
        let mut lines = self.messages();
        lines.retain(|line| is_splat(line));
        lines
    }

    /// The same with what surrounds them, but for lines that have one of `expected` in them, if no
    /// stack trace has a function of the module.
    pub fn splats_but(&mut self, expected: &[&str]) -> Vec<String> {
        let lines = self.messages();
        let ours = lines.iter().any(|line| line.contains(FRAME));
        let is_expected = |line: &str| !ours && expected.iter().any(|part| line.contains(part));
        surroundings(&lines, |line| is_splat(line) && !is_expected(line))
    }
}

/// From what is said before the first line that is wanted to the end of the stack trace behind the last.
fn surroundings(lines: &[String], wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let (Some(first), Some(last)) = (
        lines.iter().position(|line| wanted(line)),
        lines.iter().rposition(|line| wanted(line)),
    ) else {
        return Vec::new();
    };
    let begin = first.saturating_sub(BEFORE);
    let end = lines.len().min(last + AFTER).min(begin + AT_MOST);
    lines[begin..end].to_vec()
}

/// The text of a record `level,sequence,time,flags;text\n KEY=value\n`.
fn message(record: &[u8]) -> String {
    let text = String::from_utf8_lossy(record);
    let (_, text) = text.split_once(';').unwrap_or(("", &text));
    text.lines().next().unwrap_or_default().into()
}

fn is_splat(line: &str) -> bool {
    is_suspicious(line) || line.contains(LOSS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        let record = b"4,1234,5678,-;WARNING: CPU: 0 PID: 1 at mm/gup.c:42\n SUBSYSTEM=x\n";
        assert_eq!(message(record), "WARNING: CPU: 0 PID: 1 at mm/gup.c:42");
        assert!(is_splat(&message(record)));
        assert!(!is_splat("BTRFS warning (device vdb): csum failed"));
        assert!(!is_splat(
            "pinlease: loading out-of-tree module taints kernel."
        ));
    }

    #[test]
    fn what_surrounds_a_splat() {
        let lines: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
        let numbers = |wanted: &[&str]| surroundings(&lines, |line| wanted.contains(&line));
        assert!(numbers(&[]).is_empty());
        assert_eq!(numbers(&["100"]), lines[95..140]);
        assert_eq!(numbers(&["2", "30"]), lines[..70]);
        assert_eq!(numbers(&["999"]), lines[994..]);
        assert_eq!(numbers(&["100", "900"]), lines[95..245]);
    }
}
