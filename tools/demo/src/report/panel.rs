// SPDX-License-Identifier: GPL-2.0
//! One side of a picture: what the device wrote and the disk held, and lanes
//! with what happened meanwhile.

use maud::{html, Markup};
use selftests::harness::Side;

use super::{
    fates,
    scale::Scale,
    timeline::{Look, Timeline},
};
use crate::cell::Verdict;

const TITLE: f64 = 30.0;
const CHART: f64 = 96.0;
const LANE: f64 = 21.0;
const GAP: f64 = 6.0;

/// What is drawn, and where.
pub struct Panel<'a> {
    pub side: Side,
    pub timeline: &'a Timeline,
    /// What the whole run came to: a class, and words.
    pub verdict: (&'static str, String),
    pub times: Scale,
    pub left: f64,
    pub right: f64,
    pub top: f64,
}

/// A lane with marks: its name, spans, and the colour's class.
type Lane = (&'static str, Vec<(u64, u64)>, &'static str);

impl Panel<'_> {
    fn lanes(&self) -> Vec<Lane> {
        let at_once = |events: &[(u64, u64)]| events.iter().map(|&(at, _)| (at, at)).collect();
        let timeline = self.timeline;
        let mut lanes: Vec<Lane> = vec![("device writes", timeline.bursts.clone(), "device")];
        if timeline.fsyncs.is_empty() {
            lanes.push(("flusher", at_once(&timeline.flushes), "call"));
        } else {
            lanes.push(("fsync", timeline.fsyncs.clone(), "call"));
        }
        if self.side != Side::Stock {
            lanes.push(("snapshots", at_once(&timeline.snapshots), "snapshot"));
        }
        lanes.push(("data to disk", at_once(&timeline.data), "disk"));
        if !timeline.unpins.is_empty() {
            lanes.push(("unpin", timeline.unpins.clone(), "call"));
        }
        lanes
    }

    pub fn height(&self) -> f64 {
        TITLE + CHART + GAP + LANE * self.lanes().len() as f64 + fates::HEIGHT
    }

    pub fn draw(&self) -> Markup {
        let chart = self.top + TITLE;
        let lanes = chart + CHART + GAP;
        let all = self.lanes();
        let fates = lanes + LANE * all.len() as f64;
        html! {
            g data-side=(self.side.name()) {
                text.side x="0" y=(self.top + 20.0) { (name(self.side)) }
                text.verdict.(self.verdict.0) x=(self.right) y=(self.top + 20.0) text-anchor="end" { (self.verdict.1) }
                (self.chart(chart))
                @for (index, lane) in all.iter().enumerate() {
                    (self.lane(lane, lanes + LANE * index as f64))
                }
                (fates::draw(self.timeline, &self.times, self.left, fates))
            }
        }
    }

    /// Generations: of the device, and on the disk.
    fn chart(&self, top: f64) -> Markup {
        let generations = Scale::new(self.timeline.newest(), top + CHART, top + 6.0);
        let bottom = top + CHART;
        let end = self.times.at(self.timeline.shown());
        html! {
            @for tick in generations.ticks(3) {
                line.grid x1=(self.left) x2=(self.right) y1=(px(generations.at(tick))) y2=(px(generations.at(tick))) {}
                text.tick x=(self.left - 6.0) y=(px(generations.at(tick) + 4.0)) text-anchor="end" { (thousands(tick)) }
            }
            line.edge x1=(self.left) x2=(self.right) y1=(bottom) y2=(bottom) {}
            @for part in self.timeline.disk() {
                path.held d=(self.area(&part, &generations, bottom)) {}
            }
            (self.losses(&generations))
            path.device-line d=(self.device(&generations)) {}
            @for part in self.timeline.disk() {
                path.disk-line d=(self.stairs(&part, &generations)) {}
            }
            text.lane x="0" y=(px(generations.at(generations.most() / 4) + 4.0)) { "generation" }
            (self.words(&generations, end))
        }
    }

    /// The lines' names at their ends, unless they would be on top of each other.
    fn words(&self, generations: &Scale, end: f64) -> Markup {
        let device = self.timeline.device_at(u64::MAX);
        let disk = self.timeline.looks.last().and_then(|look| look.newest);
        let far = |disk: &u64| (generations.at(*disk) - generations.at(device)).abs() > 20.0;
        html! {
            @match disk {
                Some(disk) if far(&disk) => {
                    (self.word("device", generations.at(device) + 14.0, end))
                    (self.word("disk", generations.at(disk) - 6.0, end))
                }
                Some(_) => (self.word("device and disk", generations.at(device) + 14.0, end)),
                None => (self.word("device", generations.at(device) + 14.0, end)),
            }
        }
    }

    /// A name at the end of a line: beyond it, where there is room.
    fn word(&self, what: &str, y: f64, end: f64) -> Markup {
        let (x, anchor) = match end + 100.0 < self.right {
            true => (end + 5.0, "start"),
            false => (end - 5.0, "end"),
        };
        html! { text.word x=(px(x)) y=(px(y)) text-anchor=(anchor) { (what) } }
    }

    /// What the device wrote: single writes are steps, a run is a line.
    fn device(&self, generations: &Scale) -> String {
        let runs = self.timeline.runs();
        let mut path = format!("M{} {}", px(self.times.at(0)), px(generations.at(0)));
        for &(at, generation) in &self.timeline.device {
            let (x, y) = (px(self.times.at(at)), px(generations.at(generation)));
            path += &if runs {
                format!("L{x} {y}")
            } else {
                format!("H{x}V{y}")
            };
        }
        if !runs {
            path += &format!("H{}", px(self.times.at(self.timeline.shown())));
        }
        path
    }

    /// What the disk held, from one reading to the next.
    fn stairs(&self, part: &[(u64, u64)], generations: &Scale) -> String {
        let mut path = String::new();
        for (index, &(at, generation)) in part.iter().enumerate() {
            let (x, y) = (px(self.times.at(at)), px(generations.at(generation)));
            path += &if index == 0 {
                format!("M{x} {y}")
            } else {
                format!("H{x}V{y}")
            };
        }
        path + &format!("H{}", px(self.times.at(self.until(part))))
    }

    fn area(&self, part: &[(u64, u64)], generations: &Scale, bottom: f64) -> String {
        let start = part.first().map_or(0, |&(at, _)| at);
        let stairs = self.stairs(part, generations);
        format!("{stairs}V{}H{}Z", px(bottom), px(self.times.at(start)))
    }

    /// Until when a part of the staircase holds: the next reading, or the end.
    fn until(&self, part: &[(u64, u64)]) -> u64 {
        let last = part.last().map_or(0, |&(at, _)| at);
        let next = self.timeline.looks.iter().find(|look| look.at > last);
        next.map_or(self.timeline.shown(), |look| look.at)
    }

    /// What the device had written and the disk should have held, and did not.
    fn losses(&self, generations: &Scale) -> Markup {
        let lost = |look: &&Look| look.census.is_some_and(|census| census.lost > 0);
        html! {
            @for look in self.timeline.looks.iter().filter(lost) {
                @let device = self.timeline.device_at(look.at);
                @let held = look.newest.unwrap_or(0).min(device);
                @let from = self.timeline.device.iter().find(|&&(_, g)| g > held).map_or(look.at, |&(at, _)| at);
                @let (x, until) = (self.times.at(from), self.times.at(self.until(&[(look.at, 0)])));
                @let (top, bottom) = (generations.at(device), generations.at(held));
                rect.missing data-mark="missing" x=(px(x)) y=(px(top))
                    width=(px((until - x).max(6.0))) height=(px(bottom - top)) {}
                (self.missing_word(x, until, (top + bottom) / 2.0))
            }
        }
    }

    /// In the box, or to the left of one that is too narrow.
    fn missing_word(&self, from: f64, until: f64, y: f64) -> Markup {
        let (x, anchor) = match until - from < 110.0 {
            true => (from - 5.0, "end"),
            false => ((from + until) / 2.0, "middle"),
        };
        html! { text.missing-word x=(px(x)) y=(px(y + 4.0)) text-anchor=(anchor) { "not on the disk" } }
    }

    fn lane(&self, (name, spans, class): &Lane, top: f64) -> Markup {
        html! {
            text.lane x=(self.left - 6.0) y=(top + 14.0) text-anchor="end" { (name) }
            line.rail x1=(self.left) x2=(self.right) y1=(top + 10.0) y2=(top + 10.0) {}
            @for &(from, until) in spans {
                @let x = self.times.at(from);
                rect.(class) x=(px(x)) y=(top + 4.0)
                    width=(px((self.times.at(until) - x).max(2.0))) height="12" rx="1" {}
            }
        }
    }
}

/// What a side is called.
pub fn name(side: Side) -> &'static str {
    match side {
        Side::Stock => "Stock kernel",
        Side::Pinlease => "With pinlease",
        Side::Grant => "With pinlease, by a grant",
    }
}

/// The class of what became of pages.
pub fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Lost => "lost",
        Verdict::Torn => "torn",
        Verdict::Kept => "kept",
    }
}

/// A coordinate: a tenth of a pixel is enough.
pub fn px(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Such as 12k.
fn thousands(number: u64) -> String {
    match number {
        0..10_000 => number.to_string(),
        _ => format!("{}k", number as f64 / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(thousands(9_999), "9999");
        assert_eq!(thousands(12_500), "12.5k");
    }
}
