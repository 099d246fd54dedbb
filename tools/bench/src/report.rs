// SPDX-License-Identifier: GPL-2.0
//! bench.json, and what it looks like to people.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use comfy_table::{presets, CellAlignment, Table};
use serde::{Deserialize, Serialize};

use crate::{
    bar::Bar,
    measured::{Measured, Place, Sides, Unit},
    mode::Mode,
    statistics::Spread,
};

/// One figure.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Figure {
    /// What names it: see [`Mode::name_of`].
    pub name: String,
    /// Median, smallest and largest of all rounds.
    #[serde(flatten)]
    pub spread: Spread,
    /// What they count.
    pub unit: Unit,
    /// How the guest was run.
    pub mode: Mode,
    /// The filesystem.
    pub filesystem: String,
    /// What a ratio of 1 would be, or what is counted.
    pub reference: String,
    /// How often it was measured.
    pub rounds: usize,
    /// The two sides of a ratio.
    pub sides: Option<Sides>,
    /// What the median shall be.
    pub bar: Option<String>,
    /// Whether it is.
    pub met: Option<bool>,
    /// Where it belongs, if it is one of many.
    pub place: Option<Place>,
}

impl Figure {
    /// Of what a guest measured; `None` if that is no number.
    pub fn new(measured: Measured, mode: Mode, filesystem: &str) -> Option<Self> {
        let spread = Spread::of(&measured.values)?;
        let bar = Bar::of(&measured.name, mode);
        Some(Self {
            name: mode.name_of(&measured.name),
            spread,
            unit: measured.unit,
            mode,
            filesystem: filesystem.into(),
            reference: measured.reference,
            rounds: measured.values.len(),
            sides: measured.sides,
            bar: bar.map(|bar| bar.to_string()),
            met: bar.map(|bar| bar.is_met(spread.median)),
            place: measured.place,
        })
    }
}

/// bench.json.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Report {
    /// The figures, in the order in which they were measured.
    pub figures: Vec<Figure>,
    /// The guest's kernel.
    pub kernel: String,
    /// The commit of the tree.
    pub commit: String,
    /// When it was measured, such as 2026-11-23.
    pub date: String,
}

impl Report {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// It is missing, or something else.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read(path).with_context(|| path.display().to_string())?;
        serde_json::from_slice(&text).with_context(|| path.display().to_string())
    }

    /// Those that have a bar, and how many of them are within it.
    pub fn bars(&self) -> (usize, usize) {
        let met: Vec<_> = self
            .figures
            .iter()
            .filter_map(|figure| figure.met)
            .collect();
        (met.len(), met.iter().filter(|met| **met).count())
    }

    /// As a table of text.
    pub fn text(&self) -> String {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_header([
            "figure", "median", "min", "max", "unit", "ours", "theirs", "bar", "",
        ]);
        for column in 1..4 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for figure in &self.figures {
            let Spread { median, min, max } = figure.spread;
            let side = |which: fn(&Sides) -> f64| {
                figure.sides.as_ref().map_or(String::new(), |sides| {
                    format!("{} {}", number(which(sides)), sides.unit.name())
                })
            };
            table.add_row([
                figure.name.clone(),
                number(median),
                number(min),
                number(max),
                figure.unit.name().into(),
                side(|sides| sides.ours),
                side(|sides| sides.theirs),
                figure.bar.clone().unwrap_or_default(),
                verdict(figure).into(),
            ]);
        }
        let (bars, met) = self.bars();
        format!(
            "pinlease {}, kernel {}, {}\n\n{table}\n\n{met} of {bars} bars are met\n",
            self.commit, self.kernel, self.date
        )
    }
}

/// Whether a bar is met, in a word.
pub fn verdict(figure: &Figure) -> &'static str {
    match figure.met {
        Some(true) => "met",
        Some(false) => "NOT met",
        None => "",
    }
}

/// With as many digits as tell something.
pub fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(name: &str, values: &[f64]) -> Measured {
        Measured {
            name: name.into(),
            unit: Unit::Ratio,
            values: values.into(),
            reference: "the other".into(),
            sides: None,
            place: None,
        }
    }

    #[test]
    fn figures_have_the_keys_that_were_promised() {
        let figure =
            Figure::new(measured("pin_64k", &[1.0, 1.2, 1.1]), Mode::Icount, "ext4").unwrap();
        let value = serde_json::to_value(&figure).unwrap();
        assert_eq!(value["name"], "pin_64k");
        assert_eq!(value["median"], 1.1);
        assert_eq!(value["min"], 1.0);
        assert_eq!(value["max"], 1.2);
        assert_eq!(value["unit"], "ratio");
        assert_eq!(value["mode"], "icount");
        assert_eq!(value["reference"], "the other");
        assert_eq!(value["bar"], "<= 1.05");
        assert_eq!(value["met"], false);
        let back: Figure = serde_json::from_value(value).unwrap();
        assert_eq!(back, figure);
    }

    #[test]
    fn what_is_not_finite_is_no_figure() {
        assert!(Figure::new(measured("x", &[]), Mode::Wall, "ext4").is_none());
        assert!(Figure::new(measured("x", &[f64::NAN]), Mode::Wall, "ext4").is_none());
    }

    #[test]
    fn bars_are_counted() {
        let figures = [("pin_64k", 1.2), ("pin_4k", 1.2), ("other", 7.0)];
        let report = Report {
            figures: figures
                .iter()
                .filter_map(|(name, value)| {
                    Figure::new(measured(name, &[*value]), Mode::Icount, "ext4")
                })
                .collect(),
            ..Report::default()
        };
        assert_eq!(report.bars(), (2, 1));
        assert!(report.text().contains("1 of 2 bars are met"));
        assert!(report.text().contains("NOT met"));
    }
}
