// SPDX-License-Identifier: GPL-2.0
//! Plots, as SVG.

use std::{collections::BTreeMap, path::Path};

use anyhow::{anyhow, Result};
use plotters::prelude::*;

use crate::report::{Figure, Report};

/// A line of a plot: where its points are.
type Line = Vec<(f64, f64)>;

const SIZE: (u32, u32) = (800, 480);

/// Writes a plot for each that figures have a place in, and one of all ratios with a bar;
/// returns their names.
///
/// # Errors
///
/// One cannot be written.
pub fn draw_all(report: &Report, folder: &Path) -> Result<Vec<String>> {
    let mut plots: BTreeMap<String, BTreeMap<&str, Line>> = BTreeMap::new();
    for figure in &report.figures {
        if let Some(place) = &figure.place {
            let name = figure.mode.name_of(&place.plot);
            let lines = plots.entry(name).or_default();
            let line = lines.entry(&place.line).or_default();
            line.push((place.x, figure.spread.median));
        }
    }
    let mut names = Vec::new();
    for (name, mut lines) in plots {
        lines
            .values_mut()
            .for_each(|line| line.sort_by(|a, b| a.0.total_cmp(&b.0)));
        let file = format!("bench-{name}.svg");
        draw_lines(&folder.join(&file), &name, &lines)
            .map_err(|error| anyhow!("{file}: {error}"))?;
        names.push(file);
    }
    let bars: Vec<_> = report
        .figures
        .iter()
        .filter(|figure| figure.met.is_some() && figure.spread.median < 1000.0)
        .collect();
    if !bars.is_empty() {
        let file = "bench-bars.svg".to_owned();
        draw_bars(&folder.join(&file), &bars).map_err(|error| anyhow!("{file}: {error}"))?;
        names.push(file);
    }
    Ok(names)
}

/// The least and the largest, with some room; a range of one point is none.
fn range(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (least, most) = values.fold(
        (f64::INFINITY, f64::NEG_INFINITY),
        |(least, most), value| (least.min(value), most.max(value)),
    );
    let least = least.max(f64::MIN_POSITIVE);
    least * 0.9..most.max(least) * 1.1
}

fn draw_lines(
    path: &Path,
    title: &str,
    lines: &BTreeMap<&str, Line>,
) -> Result<(), Box<dyn std::error::Error>> {
    let points = || lines.values().flatten();
    let x = range(points().map(|point| point.0));
    let y = range(points().map(|point| point.1));
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(x.log_scale(), y.log_scale())?;
    chart.configure_mesh().draw()?;
    for (number, (name, line)) in lines.iter().enumerate() {
        let color = Palette99::pick(number).to_rgba();
        chart
            .draw_series(LineSeries::new(line.iter().copied(), color.stroke_width(2)))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color));
        chart.draw_series(
            line.iter()
                .map(|point| Circle::new(*point, 3, color.filled())),
        )?;
    }
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()?;
    root.present()?;
    Ok(())
}

/// Medians with their spread, one below the other; what is not met is red.
fn draw_bars(path: &Path, figures: &[&Figure]) -> Result<(), Box<dyn std::error::Error>> {
    let height = 60 + 24 * figures.len() as u32;
    let root = SVGBackend::new(path, (SIZE.0, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let x = range(
        figures
            .iter()
            .flat_map(|figure| [figure.spread.min, figure.spread.max, 1.0]),
    );
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .x_label_area_size(30)
        .y_label_area_size(280)
        .build_cartesian_2d(x.log_scale(), 0..figures.len())?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .y_labels(figures.len() + 1)
        .y_label_formatter(&|row| {
            figures.get(*row).map_or(String::new(), |figure| {
                format!("{} {}", figure.name, figure.bar.as_deref().unwrap_or(""))
            })
        })
        .draw()?;
    for (row, figure) in figures.iter().enumerate() {
        let color = if figure.met == Some(true) { GREEN } else { RED };
        let spread = figure.spread;
        chart.draw_series([PathElement::new(
            [(spread.min, row), (spread.max, row)],
            color.stroke_width(2),
        )])?;
        chart.draw_series([Circle::new((spread.median, row), 4, color.filled())])?;
    }
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measured::{Measured, Place, Unit},
        mode::Mode,
    };

    fn figure(name: &str, x: f64, value: f64) -> Figure {
        let measured = Measured {
            name: name.into(),
            unit: Unit::Ratio,
            values: vec![value, value * 1.1],
            reference: String::new(),
            sides: None,
            place: Some(Place {
                plot: "pin".into(),
                line: "small folios".into(),
                x,
            }),
        };
        Figure::new(measured, Mode::Icount, "ext4").unwrap()
    }

    #[test]
    fn plots_are_drawn() {
        let folder = std::env::temp_dir().join(format!("bench-plot-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let report = Report {
            figures: vec![
                figure("pin_4k", 4096.0, 1.5),
                figure("pin_64k", 65536.0, 1.1),
            ],
            ..Report::default()
        };
        let names = draw_all(&report, &folder).unwrap();
        assert_eq!(names, ["bench-pin.svg", "bench-bars.svg"]);
        for name in names {
            let text = std::fs::read_to_string(folder.join(&name)).unwrap();
            assert!(text.contains("</svg>"), "{name}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
