// SPDX-License-Identifier: GPL-2.0
//! A picture of one scenario on one filesystem: the stock kernel above, pinlease
//! below, on one axis of time.

use maud::{html, Markup};
use selftests::{harness::Side, support::Filesystem};

use super::{
    panel::{class, name, px, Panel},
    scale::{time, Scale},
    timeline::Timeline,
};
use crate::{cell::Scenario, found::Found, table::describe};

const MARGIN: f64 = 14.0;
const AXIS: f64 = 36.0;

/// A size of picture: for most windows, or for narrow ones.
#[derive(Clone, Copy)]
struct Format {
    name: &'static str,
    width: f64,
    left: f64,
    ticks: usize,
}

const FORMATS: [Format; 2] = [
    Format {
        name: "wide",
        width: 920.0,
        left: 100.0,
        ticks: 10,
    },
    Format {
        name: "narrow",
        width: 352.0,
        left: 84.0,
        ticks: 4,
    },
];

/// One side, as far as it was recorded.
struct Recording {
    side: Side,
    timeline: Timeline,
    verdict: (&'static str, String),
}

/// The figure of a scenario on a filesystem.
pub fn figure(found: &Found, fs: Filesystem, scenario: Scenario) -> Markup {
    let recordings: Vec<_> = Side::BOTH
        .into_iter()
        .filter_map(|side| recording(found, fs, scenario, side))
        .collect();
    html! {
        figure id=(format!("{fs}-{}", scenario.number())) {
            figcaption { (fs) }
            @if recordings.iter().all(|recording| recording.timeline.end == 0) {
                p.absent { "Not recorded: the guest said nothing of it." }
            } @else {
                @for format in FORMATS { (svg(&recordings, fs, scenario, format)) }
                (numbers(&recordings))
            }
            @for side in Side::BOTH {
                @if let Some(recorded) = found.recorded(fs, scenario.number(), side) {
                    @for complaint in &recorded.record.complaints {
                        p.absent { (name(side)) ": not recorded: " (complaint) }
                    }
                    @if recorded.record.overrun > 0 {
                        p.absent { (name(side)) ": " (recorded.record.overrun) " events of the kernel are missing." }
                    }
                }
            }
        }
    }
}

fn recording(found: &Found, fs: Filesystem, scenario: Scenario, side: Side) -> Option<Recording> {
    let recorded = found.recorded(fs, scenario.number(), side)?;
    let measured = found.measured(fs, scenario.number(), side)?;
    let class = measured
        .result
        .as_ref()
        .map_or("failed", |&census| class(census.into()));
    Some(Recording {
        side,
        timeline: Timeline::new(&recorded.record),
        verdict: (class, describe(measured)),
    })
}

fn svg(recordings: &[Recording], fs: Filesystem, scenario: Scenario, format: Format) -> Markup {
    let most = recordings
        .iter()
        .map(|r| r.timeline.shown())
        .max()
        .unwrap_or(0);
    let right = format.width - 8.0;
    let times = Scale::new(most, format.left, right);
    let mut top = 0.0;
    let mut panels = Vec::new();
    for recording in recordings {
        let panel = Panel {
            side: recording.side,
            timeline: &recording.timeline,
            verdict: recording.verdict.clone(),
            times,
            left: format.left,
            right,
            top,
        };
        top += panel.height() + MARGIN;
        panels.push(panel);
    }
    let id = |part: &str| format!("{part}-{fs}-{}-{}", scenario.number(), format.name);
    html! {
        svg.(format.name) role="img" viewBox=(format!("0 0 {} {}", format.width, top + AXIS))
            aria-labelledby=(format!("{} {}", id("title"), id("desc"))) {
            title id=(id("title")) { (fs) ", scenario " (scenario.number()) ": " (scenario.title()) }
            desc id=(id("desc")) { (description(recordings)) }
            (axis(&times, most, top, format))
            @for panel in &panels { (panel.draw()) }
        }
    }
}

/// Time, and lines through all panels.
fn axis(times: &Scale, most: u64, bottom: f64, format: Format) -> Markup {
    html! {
        @for tick in times.ticks(format.ticks) {
            @let x = px(times.at(tick));
            line.grid x1=(x) x2=(x) y1="30" y2=(bottom) {}
            text.tick x=(x) y=(bottom + 14.0) text-anchor=(if x + 20.0 > format.width { "end" } else { "middle" }) {
                (time(tick, most))
            }
        }
        text.tick x=(format.left) y=(bottom + 30.0) { "since shortly before the device got its memory" }
    }
}

/// The picture in words.
fn description(recordings: &[Recording]) -> String {
    let side = |r: &Recording| {
        let device = r.timeline.device_at(u64::MAX);
        let disk = r.timeline.looks.iter().rev().find_map(|look| look.newest);
        let held = disk.map_or("nothing that can be read".into(), |g| {
            format!("generation {g}")
        });
        let (name, verdict) = (name(r.side), &r.verdict.1);
        format!("{name}: {verdict}. At the end the device had written generation {device}, and the disk held {held}.")
    };
    recordings.iter().map(side).collect::<Vec<_>>().join(" ")
}

/// What the picture is made of, as numbers.
fn numbers(recordings: &[Recording]) -> Markup {
    let sum = |events: &[(u64, u64)]| events.iter().map(|&(_, much)| much).sum::<u64>();
    let kib = |events: &[(u64, u64)]| sum(events) >> 10;
    let row = |title: &str, value: &dyn Fn(&Timeline) -> String| {
        html! {
            tr {
                th scope="row" { (title) }
                @for recording in recordings { td { (value(&recording.timeline)) } }
            }
        }
    };
    html! {
        details {
            summary { "Numbers" }
            table {
                thead { tr { th scope="col" { "" } @for r in recordings { th scope="col" { (name(r.side)) } } } }
                tbody {
                    (row("Newest generation of the device", &|t| t.device_at(u64::MAX).to_string()))
                    (row("fsyncs", &|t| t.fsyncs.len().to_string()))
                    (row("Pages the flusher wrote", &|t| sum(&t.flushes).to_string()))
                    (row("Writes of data to the disk", &|t| format!("{} ({} KiB)", t.data.len(), kib(&t.data))))
                    (row("Other writes to the disk", &|t| format!("{} ({} KiB)", t.metadata.len(), kib(&t.metadata))))
                    (row("Pages copied by pinlease", &|t| sum(&t.snapshots).to_string()))
                    (row("Readings of the disk", &|t| t.looks.len().to_string()))
                    (row("Time", &|t| time(t.end, t.end)))
                }
            }
        }
    }
}
