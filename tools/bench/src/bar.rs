// SPDX-License-Identifier: GPL-2.0
//! What the figures shall be.

use std::fmt;

use crate::mode::Mode;

/// The bounds of a median.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bar {
    /// At most so much.
    AtMost(f64),
    /// At least so much.
    AtLeast(f64),
    /// 1, and no farther from it than so much.
    OneWithin(f64),
}

/// The bars, by the name of the figure.
const BARS: &[(&str, Bar)] = &[
    ("idle_writeback", Bar::OneWithin(0.005)),
    ("after_writeback", Bar::OneWithin(0.005)),
    ("elsewhere_writeback", Bar::AtMost(1.02)),
    ("pinned_writeback_beyond_copy", Bar::AtMost(1.10)),
    ("copy_vs_memcpy", Bar::AtLeast(0.9)),
    ("pin_4k", Bar::AtMost(1.3)),
    ("pin_64k", Bar::AtMost(1.05)),
    ("pin_256k", Bar::AtMost(1.05)),
    ("pin_1m", Bar::AtMost(1.05)),
    ("pin_4m", Bar::AtMost(1.05)),
    ("pin_16m", Bar::AtMost(1.05)),
    ("pin_64m", Bar::AtMost(1.05)),
    ("pin_256m", Bar::AtMost(1.05)),
    ("pin_1g", Bar::AtMost(1.05)),
    ("bytes_per_folio", Bar::AtMost(16.0)),
    ("bytes_1gib_2mib_folios", Bar::AtMost(65536.0)),
    ("release_to_resume", Bar::AtMost(1.2)),
    ("lookup_100k_vs_10", Bar::AtMost(3.0)),
    ("rewrite10_vs_staging", Bar::AtLeast(1.5)),
    ("writeonce_vs_staging", Bar::AtLeast(0.95)),
];

impl Bar {
    /// That of a figure, if it has one.  The tight ones around 1 are for what is
    /// counted: a clock on a busy machine does not tell half a percent.
    pub fn of(name: &str, mode: Mode) -> Option<Self> {
        let (_, bar) = BARS.iter().find(|(of, _)| *of == name)?;
        match (bar, mode) {
            (Self::OneWithin(_), Mode::Wall) => None,
            _ => Some(*bar),
        }
    }

    /// Whether a median is within it.
    pub fn is_met(self, median: f64) -> bool {
        match self {
            Self::AtMost(most) => median <= most,
            Self::AtLeast(least) => median >= least,
            Self::OneWithin(distance) => (median - 1.0).abs() <= distance,
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "<= {most}"),
            Self::AtLeast(least) => write!(f, ">= {least}"),
            Self::OneWithin(distance) => write!(f, "1 +- {distance}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_met_or_not() {
        assert!(Bar::AtMost(1.05).is_met(1.05));
        assert!(!Bar::AtMost(1.05).is_met(1.06));
        assert!(Bar::AtLeast(0.9).is_met(0.95));
        assert!(!Bar::AtLeast(0.9).is_met(0.89));
        assert!(Bar::OneWithin(0.005).is_met(0.996));
        assert!(!Bar::OneWithin(0.005).is_met(1.006));
        assert!(!Bar::AtMost(1.0).is_met(f64::NAN));
    }

    #[test]
    fn a_clock_has_no_bar_that_only_counting_can_meet() {
        assert!(Bar::of("idle_writeback", Mode::Icount).is_some());
        assert!(Bar::of("idle_writeback", Mode::Wall).is_none());
        assert!(Bar::of("pin_64k", Mode::Wall).is_some());
        assert!(Bar::of("hook_install", Mode::Icount).is_none());
    }
}
