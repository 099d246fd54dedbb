// SPDX-License-Identifier: GPL-2.0
//! What the guest tells the host.

use serde::{Deserialize, Serialize};

/// What a number counts.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// One thing against another.
    Ratio,
    /// Nanoseconds; instructions where the clock counts them.
    Ns,
    /// Microseconds; thousands of instructions where the clock counts them.
    Us,
    /// Bytes of memory.
    Bytes,
}

impl Unit {
    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ratio => "ratio",
            Self::Ns => "ns",
            Self::Us => "us",
            Self::Bytes => "bytes",
        }
    }
}

/// A line of the guest's output that is not for people.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Line {
    /// Where it measures.
    About {
        /// As `uname -r` says it.
        kernel: String,
    },
    /// What it measured.
    Measured(Measured),
}

/// A place in a plot.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Place {
    /// Which plot.
    pub plot: String,
    /// Which line of it.
    pub line: String,
    /// Where on that.
    pub x: f64,
}

/// One figure, measured in one guest.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Measured {
    /// What names it.
    pub name: String,
    /// What its values count.
    pub unit: Unit,
    /// One for each round.
    pub values: Vec<f64>,
    /// What a ratio of 1 would be, or what is counted.
    pub reference: String,
    /// What the two sides of a ratio took.
    pub sides: Option<Sides>,
    /// Where it belongs, if it is one of many.
    pub place: Option<Place>,
}

/// The two sides of a ratio, medians of all rounds.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Sides {
    /// What was measured.
    pub ours: f64,
    /// What it is compared with.
    pub theirs: f64,
    /// What both count.
    pub unit: Unit,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_back() {
        let measured = Measured {
            name: "pin_4k".into(),
            unit: Unit::Ratio,
            values: vec![1.25, 1.5],
            reference: "something".into(),
            sides: Some(Sides {
                ours: 5.0,
                theirs: 4.0,
                unit: Unit::Ns,
            }),
            place: Some(Place {
                plot: "pin".into(),
                line: "small folios".into(),
                x: 4096.0,
            }),
        };
        for line in [
            Line::Measured(measured),
            Line::About {
                kernel: "7.3".into(),
            },
        ] {
            let text = serde_json::to_string(&line).unwrap();
            assert!(!text.contains('\n'));
            assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
        }
    }
}
