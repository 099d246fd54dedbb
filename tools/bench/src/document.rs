// SPDX-License-Identifier: GPL-2.0
//! Documentation/performance-figures.rst.

use std::fmt::Write;

use crate::{
    mode::Mode,
    report::{number, verdict, Figure, Report},
};

/// Before the tables.
const HEAD: &str = "\
.. SPDX-License-Identifier: GPL-2.0
.. Written by make bench-table from out/bench.json, which make bench writes.

";

/// The tables.
pub fn document(report: &Report) -> String {
    let mut text = HEAD.to_owned();
    let (bars, met) = report.bars();
    let _ = write!(
        text,
        "Measured on {}, kernel {}, commit {}. {met} of {bars} bars are met.\n\n",
        report.date, report.kernel, report.commit
    );
    let of = |wanted: fn(&Figure) -> bool| report.figures.iter().filter(move |one| wanted(one));
    push(
        &mut text,
        "Figures with a bar",
        of(|figure| figure.met.is_some()),
    );
    push(
        &mut text,
        "What else was counted in instructions",
        of(|figure| figure.met.is_none() && figure.mode == Mode::Icount),
    );
    push(
        &mut text,
        "What else was measured in time",
        of(|figure| figure.met.is_none() && figure.mode == Mode::Wall),
    );
    text
}

fn push<'a>(text: &mut String, title: &str, figures: impl Iterator<Item = &'a Figure>) {
    let rows: Vec<_> = figures.map(row).collect();
    if rows.is_empty() {
        return;
    }
    let _ = write!(
        text,
        "{title}\n{}\n\n.. list-table::\n   :header-rows: 1\n   :widths: 30 10 18 8 34\n\n",
        "-".repeat(title.len())
    );
    push_row(
        text,
        &["Figure", "Median", "Smallest to largest", "Bar", "Beside"],
    );
    for row in &rows {
        push_row(text, &row.each_ref().map(String::as_str));
    }
    text.push('\n');
}

fn push_row(text: &mut String, cells: &[&str]) {
    for (index, cell) in cells.iter().enumerate() {
        let mark = if index == 0 { "   * - " } else { "     - " };
        let _ = writeln!(text, "{}", format!("{mark}{cell}").trim_end());
    }
}

fn row(figure: &Figure) -> [String; 5] {
    let spread = figure.spread;
    let unit = match figure.unit {
        crate::measured::Unit::Ratio => String::new(),
        unit => format!(" {}", unit.name()),
    };
    let bar = figure.bar.as_deref().unwrap_or_default();
    [
        format!("``{}``", figure.name),
        format!("{}{unit}", number(spread.median)),
        format!("{} to {}", number(spread.min), number(spread.max)),
        format!("{bar} {}", verdict(figure)).trim().into(),
        figure.reference.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured::{Measured, Unit};

    #[test]
    fn tables_have_a_row_for_each_figure() {
        let figure = |name: &str, mode| {
            let measured = Measured {
                name: name.into(),
                unit: Unit::Ratio,
                values: vec![1.0, 3.0, 2.0],
                reference: "the other".into(),
                sides: None,
                place: None,
            };
            Figure::new(measured, mode, "ext4").unwrap()
        };
        let report = Report {
            figures: vec![figure("pin_64k", Mode::Icount), figure("x", Mode::Wall)],
            ..Report::default()
        };
        let text = document(&report);
        assert!(text.contains("   * - ``pin_64k``\n     - 2.000\n     - 1.000 to 3.000\n     - <= 1.05 NOT met\n     - the other\n"));
        assert!(text.contains("   * - ``x_wall``\n"));
        assert!(!text.contains("What else was counted"));
        assert!(text.lines().all(|line| line == line.trim_end()));
    }
}
