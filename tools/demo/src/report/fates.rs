// SPDX-License-Identifier: GPL-2.0
//! The lane that tells what became of the pages, as the disk had them.

use maud::{html, Markup};
use selftests::support::Census;

use super::{panel::px, scale::Scale, timeline::Timeline};

/// Of the lane.
pub const HEIGHT: f64 = 30.0;

/// The lane, with a bar for each judged reading, as high as all its pages.
pub fn draw(timeline: &Timeline, times: &Scale, left: f64, top: f64) -> Markup {
    let judged = || {
        timeline
            .looks
            .iter()
            .filter_map(|look| Some((look.at, look.census?)))
    };
    let high = HEIGHT - 6.0;
    html! {
        text.lane x=(left - 6.0) y=(top + 19.0) text-anchor="end" { "disk, judged" }
        @for (index, (at, census)) in judged().enumerate() {
            @let before = judged().nth(index.wrapping_sub(1)).map_or(0, |(at, _)| at);
            @let (x, wide) = bar(times.at(before), times.at(at));
            @for (class, from, part) in parts(census) {
                rect.(class) data-mark=(class) x=(px(x)) y=(px(top + 3.0 + high * from))
                    width=(px(wide)) height=(px(high * part)) {}
            }
        }
    }
}

/// Where a bar begins that ends at `at`, and how wide it is: it does not hide the
/// one that ended at `before`.
fn bar(before: f64, at: f64) -> (f64, f64) {
    let wide = ((at - before) * 0.9).clamp(1.0, 12.0);
    (at - wide, wide)
}

/// The parts of a bar, from above: class, where it begins, how much it is.
fn parts(census: Census) -> Vec<(&'static str, f64, f64)> {
    let all = (census.kept + census.lost + census.torn).max(1) as f64;
    let mut from = 0.0;
    let mut parts = Vec::new();
    for (class, pages) in [
        ("torn", census.torn),
        ("lost", census.lost),
        ("kept", census.kept),
    ] {
        let part = pages as f64 / all;
        if pages > 0 {
            parts.push((class, from, part));
        }
        from += part;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_stacked_to_the_whole() {
        let census = Census {
            kept: 16,
            lost: 16,
            torn: 32,
        };
        let expected = [
            ("torn", 0.0, 0.5),
            ("lost", 0.5, 0.25),
            ("kept", 0.75, 0.25),
        ];
        assert_eq!(parts(census), expected);
        assert!(parts(Census::default()).is_empty());
    }

    #[test]
    fn bars_do_not_hide_each_other() {
        assert_eq!(bar(0.0, 100.0), (88.0, 12.0));
        assert_eq!(bar(90.0, 100.0), (91.0, 9.0));
    }
}
