// SPDX-License-Identifier: GPL-2.0
//! Documentation/filesystems.rst, from how the tests ended.

use std::{collections::BTreeMap, fmt::Write};

use selftests::{
    harness::{Outcome, Side},
    support::Filesystem,
};

use crate::{
    features::{Feature, Refusal, FEATURES, OTHERS, REFUSALS},
    verdict::{Report, Verdict},
};

/// Before the tables.
const HEAD: &str = "\
.. SPDX-License-Identifier: GPL-2.0
.. Written by make filesystem-table from out/check.json, which make check writes.

===========
Filesystems
===========

What the tests found, on each filesystem that can be leased. The numbers count the
tests that passed, each on every side that it has (:doc:`testing`): under a lease, and
under a lease with a grant. *stock* is what the controls of the same tests, without a
lease, show. What is not tested on a filesystem, because it has no such thing or the
guest lacks something, is told below the tables.

";

/// The document.
pub fn document(report: &Report) -> String {
    let mut text = HEAD.to_owned();
    let mut notes = Notes::default();

    text.push_str("What holds\n==========\n\n");
    let mut rows = vec![header("")];
    rows.extend(FEATURES.iter().map(|feature| {
        let mut row = vec![feature.title.to_owned()];
        row.extend(Filesystem::ALL.map(|fs| kept(report, feature, fs, &mut notes)));
        row
    }));
    push_table(&mut text, &rows);

    text.push_str("What is refused\n===============\n\n");
    text.push_str("ACQUIRE answers EOPNOTSUPP; :doc:`limits` says why.\n\n");
    let mut rows = vec![header("")];
    rows.extend(REFUSALS.iter().map(|refusal| {
        let mut row = vec![refusal.title.to_owned()];
        row.extend(Filesystem::ALL.map(|fs| refused(report, refusal, fs, &mut notes)));
        row
    }));
    push_table(&mut text, &rows);

    text.push_str("Other filesystems\n=================\n\nAll are refused.\n\n");
    let mut rows = vec![vec![String::new(), "tested".into()]];
    rows.extend(OTHERS.iter().map(|other| {
        let found = Found::of(report, other.tests, |_| true);
        vec![other.title.into(), found.cell("refused", &mut notes)]
    }));
    push_table(&mut text, &rows);

    notes.push(&mut text);
    text
}

fn header(first: &str) -> Vec<String> {
    let mut row = vec![first.to_owned()];
    row.extend(Filesystem::ALL.map(|fs| match fs {
        Filesystem::Ext4 => "ext4".into(),
        Filesystem::Xfs => "XFS".into(),
        Filesystem::Btrfs => "btrfs".into(),
    }));
    row
}

fn kept(report: &Report, feature: &Feature, fs: Filesystem, notes: &mut Notes) -> String {
    let found = Found::of(report, feature.tests, |verdict| {
        verdict.fs == fs && verdict.side != Side::Stock
    });
    let stock = Found::of(report, feature.tests, |verdict| {
        verdict.fs == fs && verdict.side == Side::Stock
    });
    let mut cell = found.cell("kept", notes);
    if stock.passed > 0 || !stock.failed.is_empty() {
        let _ = write!(cell, "; stock: {}", stock.cell(feature.stock, notes));
    }
    cell
}

fn refused(report: &Report, refusal: &Refusal, fs: Filesystem, notes: &mut Notes) -> String {
    Found::of(report, refusal.tests, |verdict| {
        verdict.fs == fs && verdict.side != Side::Stock
    })
    .cell("refused", notes)
}

/// How the tests of a row ended.
#[derive(Debug, Default)]
struct Found {
    passed: usize,
    failed: Vec<String>,
    /// Tests and why they were skipped.
    skipped: Vec<(String, String)>,
}

impl Found {
    fn of(report: &Report, tests: &[&str], wanted: impl Fn(&Verdict) -> bool) -> Self {
        let mut found = Self::default();
        for verdict in &report.tests {
            if !wanted(verdict) || !tests.iter().any(|test| verdict.test.starts_with(test)) {
                continue;
            }
            match verdict.outcome {
                Outcome::Passed => found.passed += 1,
                Outcome::Failed => found.failed.push(verdict.name()),
                Outcome::Skipped => found
                    .skipped
                    .push((verdict.test.clone(), verdict.reason.clone())),
            }
        }
        found
    }

    /// `word` is what it means that they passed.
    fn cell(&self, word: &str, notes: &mut Notes) -> String {
        if !self.failed.is_empty() {
            return format!("**FAILED**: {}", self.failed.join(", "));
        }
        let mut marks = Vec::new();
        for (test, reason) in &self.skipped {
            let mark = format!("[{}]", notes.number(test, reason));
            if !marks.contains(&mark) {
                marks.push(mark);
            }
        }
        let marks = marks.concat();
        let space = if marks.is_empty() { "" } else { " " };
        match (self.passed, self.skipped.len()) {
            (0, 0) => "not run".into(),
            (0, _) => format!("\u{2013}{space}{marks}"),
            (passed, _) => format!("{word} ({passed}){space}{marks}"),
        }
    }
}

/// Why tests were skipped.
#[derive(Debug, Default)]
struct Notes {
    /// By reason: its number, and the tests.
    all: BTreeMap<String, (usize, Vec<String>)>,
}

impl Notes {
    fn number(&mut self, test: &str, reason: &str) -> usize {
        let next = self.all.len() + 1;
        let (number, tests) = self
            .all
            .entry(reason.to_owned())
            .or_insert((next, Vec::new()));
        if !tests.iter().any(|known| known == test) {
            tests.push(test.to_owned());
        }
        *number
    }

    fn push(&self, text: &mut String) {
        if self.all.is_empty() {
            return;
        }
        text.push_str("Not tested\n==========\n\n");
        let mut all: Vec<_> = self.all.iter().collect();
        all.sort_by_key(|(_, (number, _))| *number);
        for (reason, (number, tests)) in all {
            let tests: Vec<_> = tests.iter().map(|test| format!("``{test}``")).collect();
            let _ = writeln!(text, "* [{number}] {reason}: {}", tests.join(", "));
        }
    }
}

/// A list-table, whose cells may be of any length.
fn push_table(text: &mut String, rows: &[Vec<String>]) {
    text.push_str(".. list-table::\n   :header-rows: 1\n   :stub-columns: 1\n\n");
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let bullet = if column == 0 { "* -" } else { "  -" };
            let line = format!("   {bullet} {cell}");
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(fs: Filesystem, side: Side, test: &str, outcome: Outcome, reason: &str) -> Verdict {
        Verdict {
            fs,
            side,
            test: test.into(),
            outcome,
            reason: reason.into(),
            seconds: 0.0,
            output: Vec::new(),
        }
    }

    fn report() -> Report {
        use Filesystem::{Btrfs, Ext4, Xfs};
        let journal = "only ext4 has data=journal";
        Report {
            tests: vec![
                verdict(
                    Ext4,
                    Side::Stock,
                    "s01-after-clean.faulted",
                    Outcome::Passed,
                    "",
                ),
                verdict(
                    Ext4,
                    Side::Pinlease,
                    "s01-after-clean.faulted",
                    Outcome::Passed,
                    "",
                ),
                verdict(
                    Ext4,
                    Side::Grant,
                    "s01-after-clean.faulted",
                    Outcome::Passed,
                    "",
                ),
                verdict(
                    Xfs,
                    Side::Pinlease,
                    "s01-after-clean.faulted",
                    Outcome::Failed,
                    "",
                ),
                verdict(
                    Ext4,
                    Side::Pinlease,
                    "uapi.data-journal",
                    Outcome::Passed,
                    "",
                ),
                verdict(
                    Xfs,
                    Side::Pinlease,
                    "uapi.data-journal",
                    Outcome::Skipped,
                    journal,
                ),
                verdict(
                    Btrfs,
                    Side::Pinlease,
                    "uapi.data-journal",
                    Outcome::Skipped,
                    journal,
                ),
                verdict(
                    Ext4,
                    Side::Pinlease,
                    "uapi.refused-f2fs",
                    Outcome::Passed,
                    "",
                ),
            ],
            ..Report::default()
        }
    }

    #[test]
    fn cells_say_what_was_found() {
        let text = document(&report());
        let row = "   * - durable: fsync and fdatasync, device writing before and during\n\
                   \x20    - kept (2); stock: lost (1)\n\
                   \x20    - **FAILED**: xfs pinlease:s01-after-clean.faulted\n\
                   \x20    - not run\n";
        assert!(text.contains(row), "{text}");
        let row = "``chattr +j``)\n     - refused (1)\n     - \u{2013} [1]\n     - \u{2013} [1]\n";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("* - f2fs\n     - refused (1)\n"), "{text}");
        let note = "* [1] only ext4 has data=journal: ``uapi.data-journal``\n";
        assert!(text.contains(note), "{text}");
    }
}
