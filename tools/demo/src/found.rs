// SPDX-License-Identifier: GPL-2.0
//! All that the guests printed, and demo.json, which has it.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use selftests::{harness::Side, support::Filesystem};
use serde::{Deserialize, Serialize};

use crate::{
    cell::{Cell, Measured},
    consumer::{Consumed, ConsumerCell},
    recorded::Recorded,
    run::{Booted, Host},
};

/// A line that a guest prints.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// How a scenario ended.
    Scenario(Measured),
    /// How a consumer fared.
    Consumer(Consumed),
    /// What happened in a scenario.
    Record(Recorded),
    /// What the guest is.
    Guest(Booted),
}

/// All that the guests printed.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Found {
    /// How scenarios ended.
    pub measured: Vec<Measured>,
    /// How consumers fared.
    pub consumed: Vec<Consumed>,
    /// What happened in scenarios.
    pub recorded: Vec<Recorded>,
    /// What the guests are.
    pub booted: Vec<Booted>,
}

/// demo.json, as it is written.
#[derive(Serialize)]
struct Written<'a> {
    cells: Vec<Cell>,
    consumers: Vec<ConsumerCell<'a>>,
    host: &'a Host,
    #[serde(flatten)]
    found: &'a Found,
}

/// demo.json, as it is read: of what is in it twice, the long form.
#[derive(Deserialize)]
struct Read {
    host: Host,
    #[serde(flatten)]
    found: Found,
}

impl Found {
    /// How many results there are.
    pub fn results(&self) -> usize {
        self.measured.len() + self.consumed.len()
    }

    /// Whether each control shows its fault and pinlease keeps all.
    pub fn as_it_should_be(&self) -> bool {
        self.measured.iter().all(Measured::as_it_should_be)
            && self.consumed.iter().all(Consumed::as_it_should_be)
    }

    /// How a scenario ended.
    pub fn measured(&self, fs: Filesystem, scenario: u8, side: Side) -> Option<&Measured> {
        let is_it = |m: &&Measured| m.fs == fs && m.scenario == scenario && m.side == side;
        self.measured.iter().find(is_it)
    }

    /// How a consumer fared.
    pub fn consumed(&self, fs: Filesystem, name: &str, side: Side) -> Option<&Consumed> {
        let is_it = |c: &&Consumed| c.fs == fs && c.consumer == name && c.side == side;
        self.consumed.iter().find(is_it)
    }

    /// What happened in a scenario.
    pub fn recorded(&self, fs: Filesystem, scenario: u8, side: Side) -> Option<&Recorded> {
        let is_it = |r: &&Recorded| r.fs == fs && r.scenario == scenario && r.side == side;
        self.recorded.iter().find(is_it)
    }

    /// The filesystems that there is something of.
    pub fn filesystems(&self) -> Vec<Filesystem> {
        let is_there = |fs: &Filesystem| {
            self.booted.iter().any(|b| b.fs == *fs)
                || self.measured.iter().any(|m| m.fs == *fs)
                || self.consumed.iter().any(|c| c.fs == *fs)
        };
        Filesystem::ALL.into_iter().filter(is_there).collect()
    }

    /// Takes a line; tells what result is in it.
    pub fn add(&mut self, line: Line) -> Option<String> {
        match line {
            Line::Scenario(one) => {
                let what = outcome(&one.result);
                let (fs, side) = (one.fs, one.side.name());
                let said = format!("{fs}: scenario {}, {side}: {what}", one.scenario);
                self.measured.push(one);
                Some(said)
            }
            Line::Consumer(one) => {
                let what = outcome(&one.result);
                let said = format!("{}: {}, {}: {what}", one.fs, one.consumer, one.side.name());
                self.consumed.push(one);
                Some(said)
            }
            Line::Record(one) => {
                self.recorded.push(one);
                None
            }
            Line::Guest(one) => {
                self.booted.push(one);
                None
            }
        }
    }

    /// demo.json.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn write(&self, host: &Host, folder: &Path) -> Result<()> {
        let written = Written {
            cells: self.measured.iter().filter_map(Measured::cell).collect(),
            consumers: self.consumed.iter().filter_map(Consumed::cell).collect(),
            host,
            found: self,
        };
        crate::output::write_json(folder, "demo.json", &written)
    }

    /// Reads a demo.json.
    ///
    /// # Errors
    ///
    /// There is none, or it is one of before there were pictures.
    pub fn read(path: &Path) -> Result<(Host, Self)> {
        let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let read: Read = serde_json::from_slice(&text)
            .with_context(|| format!("{}: not of this version of make demo", path.display()))?;
        Ok((read.host, read.found))
    }
}

fn outcome(result: &Result<impl ToString, String>) -> String {
    match result {
        Ok(found) => found.to_string(),
        Err(error) => format!("failed: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_guest_are_told_apart() {
        let lines = [
            r#"{"fs":"ext4","scenario":1,"side":"stock","result":{"Ok":{"kept":0,"lost":64,"torn":0}}}"#,
            r#"{"fs":"ext4","consumer":"vfio","side":"stock","result":{"Err":"no"}}"#,
            r#"{"fs":"ext4","scenario":1,"side":"stock","record":{"notes":[],"overrun":0,"complaints":[]}}"#,
            r#"{"fs":"ext4","release":"7.3","version":"1","options":"rw","module":"0.1","pages":64,"rounds":30}"#,
        ];
        let mut found = Found::default();
        let said = lines.map(|line| found.add(serde_json::from_str(line).unwrap()));
        assert_eq!(
            said[0].as_deref(),
            Some("ext4: scenario 1, stock: 0 kept, 64 lost, 0 torn")
        );
        assert_eq!(said[1].as_deref(), Some("ext4: vfio, stock: failed: no"));
        assert_eq!(&said[2..], [None, None]);
        assert_eq!(
            (found.results(), found.recorded.len(), found.booted.len()),
            (2, 1, 1)
        );
        assert_eq!(found.filesystems(), [Filesystem::Ext4]);
        assert!(found.recorded(Filesystem::Ext4, 1, Side::Stock).is_some());
        assert!(found
            .recorded(Filesystem::Ext4, 1, Side::Pinlease)
            .is_none());
    }
}
