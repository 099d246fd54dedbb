// SPDX-License-Identifier: GPL-2.0
//! One field of the demo's table: a scenario on a filesystem, on one side.

use anyhow::Result;
use selftests::{
    harness::{Context, Side},
    suites::{s01_after_clean, s02_tearing, s04_background},
    support::{Census, Filesystem, Fill, Journal},
};
use serde::{Deserialize, Serialize};

/// The scenarios that the demo shows.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Scenario {
    /// The device writes after writeback has cleaned the page.
    AfterClean,
    /// The device writes without pause.
    Tearing,
    /// Nobody calls fsync.
    Background,
}

impl Scenario {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::AfterClean, Self::Tearing, Self::Background];

    /// Its number in the design.
    pub fn number(self) -> u8 {
        match self {
            Self::AfterClean => 1,
            Self::Tearing => 2,
            Self::Background => 4,
        }
    }

    /// What a reader of the table is told.
    pub fn title(self) -> &'static str {
        match self {
            Self::AfterClean => "device writes after an fsync, then fsync",
            Self::Tearing => "device never pauses while fsync loops",
            Self::Background => "no fsync, only the flusher",
        }
    }

    /// What happens, for a reader of the report.
    pub fn story(self) -> &'static str {
        match self {
            Self::AfterClean => {
                "The device writes generation 1, and fsync writes it to the disk. The device writes generation 2, of \
                 which the page tables know nothing, and the file is synced again."
            }
            Self::Tearing => {
                "The device rewrites its pages without pause while fsync is called again and again. A layer that \
                 computes checksums (btrfs itself; dm-integrity under ext4 and XFS) tells which pages changed on \
                 their way. On the stock side a program stores into each page before each fsync, so that they are \
                 written at all."
            }
            Self::Background => {
                "Nobody calls fsync. The device writes generation 1, and after five seconds generation 2; the flusher, \
                 made hasty, has another five seconds, then the memory is unpinned and the disk is read."
            }
        }
    }

    /// What the stock kernel must show.
    pub fn stock(self) -> Verdict {
        match self {
            Self::AfterClean | Self::Background => Verdict::Lost,
            Self::Tearing => Verdict::Torn,
        }
    }

    /// Runs it, and notes what happens.
    ///
    /// # Errors
    ///
    /// A step fails.
    pub fn measure(self, context: &Context, journal: &mut Journal) -> Result<Census> {
        let fill = Fill::Faulted;
        match self {
            Self::AfterClean => s01_after_clean::measure(context, fill, journal),
            Self::Tearing => s02_tearing::measure(context, fill, journal),
            Self::Background => Ok(s04_background::measure(context, fill, journal)?.census),
        }
    }
}

/// What became of the pages.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Some are older on disk than they must be.
    Lost,
    /// Some have a wrong checksum.
    Torn,
    /// All are as they must be.
    Kept,
}

impl From<Census> for Verdict {
    fn from(census: Census) -> Self {
        match census {
            Census { torn: 1.., .. } => Self::Torn,
            Census { lost: 1.., .. } | Census { kept: 0, .. } => Self::Lost,
            _ => Self::Kept,
        }
    }
}

/// A line that the guest prints.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Measured {
    /// The filesystem.
    pub fs: Filesystem,
    /// The scenario's number.
    pub scenario: u8,
    /// The side.
    pub side: Side,
    /// What was found, or why nothing was.
    pub result: Result<Census, String>,
}

impl Measured {
    /// Whether the stock kernel shows the fault, and pinlease does not.
    pub fn as_it_should_be(&self) -> bool {
        let wanted = match self.side {
            Side::Pinlease | Side::Grant => Some(Verdict::Kept),
            Side::Stock => Scenario::ALL
                .into_iter()
                .find(|scenario| scenario.number() == self.scenario)
                .map(Scenario::stock),
        };
        self.result.as_ref().ok().map(|&census| census.into()) == wanted && wanted.is_some()
    }

    /// As it is written to demo.json; nothing for what could not be measured.
    pub fn cell(&self) -> Option<Cell> {
        let &census = self.result.as_ref().ok()?;
        Some(Cell {
            fs: self.fs,
            scenario: self.scenario,
            side: self.side,
            lost: census.lost,
            torn: census.torn,
            verdict: census.into(),
        })
    }
}

/// A field of demo.json.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cell {
    fs: Filesystem,
    scenario: u8,
    side: Side,
    lost: u64,
    torn: u64,
    verdict: Verdict,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(scenario: u8, side: Side, kept: u64, lost: u64, torn: u64) -> Measured {
        Measured {
            fs: Filesystem::Ext4,
            scenario,
            side,
            result: Ok(Census { kept, lost, torn }),
        }
    }

    #[test]
    fn controls_must_show_their_fault() {
        assert!(measured(1, Side::Stock, 0, 64, 0).as_it_should_be());
        assert!(!measured(1, Side::Stock, 64, 0, 0).as_it_should_be());
        assert!(measured(2, Side::Stock, 3, 0, 61).as_it_should_be());
        assert!(!measured(2, Side::Stock, 0, 64, 0).as_it_should_be());
        assert!(measured(4, Side::Pinlease, 64, 0, 0).as_it_should_be());
        assert!(!measured(4, Side::Pinlease, 63, 1, 0).as_it_should_be());
        assert!(!measured(4, Side::Pinlease, 0, 0, 0).as_it_should_be());
    }

    #[test]
    fn a_failure_is_not_as_it_should_be() {
        let mut failed = measured(1, Side::Pinlease, 0, 0, 0);
        failed.result = Err("no".into());
        assert!(!failed.as_it_should_be());
        assert!(failed.cell().is_none());
        let line = serde_json::to_string(&failed).unwrap();
        assert_eq!(serde_json::from_str::<Measured>(&line).unwrap(), failed);
    }

    #[test]
    fn cells_look_as_promised() {
        let cell = measured(2, Side::Stock, 3, 0, 61).cell().unwrap();
        assert_eq!(
            serde_json::to_string(&cell).unwrap(),
            r#"{"fs":"ext4","scenario":2,"side":"stock","lost":0,"torn":61,"verdict":"torn"}"#
        );
    }
}
