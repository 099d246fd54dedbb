// SPDX-License-Identifier: GPL-2.0
//! All leases, and sums, of two looks.

use std::cmp::{Ordering, Reverse};

use clap::ValueEnum;

use super::{
    amount::amount,
    line::{Line, Rates},
    sample::Sample,
};

/// By what leases are sorted: the largest first, but numbers and names from the smallest on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Order {
    /// Their numbers.
    Lease,
    /// The names of the files.
    File,
    /// Bytes in pins.
    Pinned,
    /// Bytes that are made dirty per second.
    Dirty,
    /// Bytes that are copied to be written, per second.
    Bounced,
    /// Re-arms per second.
    Rearmed,
    /// Breaks.
    Breaks,
}

impl Order {
    /// Which cell of a line it is about.
    pub fn column(self) -> usize {
        match self {
            Self::Lease => 0,
            Self::File => 1,
            Self::Pinned => 6,
            Self::Dirty => 7,
            Self::Bounced => 8,
            Self::Rearmed => 9,
            Self::Breaks => 10,
        }
    }

    /// The one so many places further, round about.
    pub fn step(self, by: isize) -> Self {
        let all = Self::value_variants();
        let place = all.iter().position(|&order| order == self).unwrap_or(0);
        let next = (place as isize + by).rem_euclid(all.len() as isize);
        all[next as usize]
    }

    fn compare(self, a: &Line, b: &Line) -> Ordering {
        let rate = |line: &Line, of: fn(&Rates) -> f64| line.rates.as_ref().map_or(-1.0, of);
        let by = |of: fn(&Rates) -> f64| rate(b, of).total_cmp(&rate(a, of));
        let first = match self {
            Self::Lease => Ordering::Equal,
            Self::File => a.file.cmp(&b.file),
            Self::Pinned => Reverse(a.pinned).cmp(&Reverse(b.pinned)),
            Self::Dirty => by(|rates| rates.dirty),
            Self::Bounced => by(|rates| rates.bounced),
            Self::Rearmed => by(|rates| rates.rearmed),
            Self::Breaks => Reverse(a.breaks).cmp(&Reverse(b.breaks)),
        };
        first.then(a.id.cmp(&b.id))
    }
}

/// What is shown.
#[derive(Debug)]
pub struct List {
    /// The leases.
    pub lines: Vec<Line>,
    /// What all of them have.
    pub summary: String,
    /// What is missing.
    pub missing: Option<String>,
}

impl List {
    /// What was done between two looks. Of a lease that is new, that is all that was done.
    pub fn new(before: &Sample, after: &Sample, order: Order, reversed: bool) -> Self {
        let mut lines = lines(before, after);
        lines.sort_by(|a, b| order.compare(a, b));
        if reversed {
            lines.reverse();
        }
        Self {
            summary: summary(&lines, after),
            missing: after.counts.as_ref().err().cloned(),
            lines,
        }
    }
}

fn lines(before: &Sample, after: &Sample) -> Vec<Line> {
    let apart = after.time.saturating_sub(before.time);
    let leases = after.leases.iter().map(|lease| {
        let now = after.counts.as_ref().ok();
        let now = now.and_then(|counts| counts.activities.get(&lease.id));
        let rates = now.and_then(|now| {
            let before = before.counts.as_ref().ok()?.activities.get(&lease.id);
            Some(Rates::between(
                before.unwrap_or(&Default::default()),
                now,
                apart,
            ))
        });
        Line::new(lease, rates, now.map(|now| now.breaks), after.time)
    });
    leases.collect()
}

fn summary(lines: &[Line], after: &Sample) -> String {
    let pins: u64 = after.leases.iter().map(|lease| lease.pins).sum();
    let pinned: u64 = lines.iter().map(|line| line.pinned).sum();
    let plural = |number: u64| if number == 1 { "" } else { "s" };
    let mut text = format!(
        "{} lease{}, {pins} pin{} of {}",
        lines.len(),
        plural(lines.len() as u64),
        plural(pins),
        amount(pinned as f64)
    );
    let rates = lines.iter().filter_map(|line| line.rates);
    if let (Some(rates), Ok(counts)) = (rates.reduce(Rates::plus), &after.counts) {
        let total = |name| counts.totals.get(name).copied().unwrap_or(0) as f64;
        text += &format!(
            "; dirty {}/s, copied {}/s, {:.0} in flight, copies {}, at most {}",
            amount(rates.dirty),
            amount(rates.bounced),
            total("snapshots_in_flight"),
            amount(total("bounce_memory_bytes")),
            amount(total("bounce_memory_peak_bytes")),
        );
    }
    text
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use pinlease::{statistics::Activity, uapi, LeaseInfo};

    use super::*;
    use crate::top::sample::Counts;

    /// Leases 1 to 3; the first pins most, the second is written most, the third has most breaks.
    pub fn sample(seconds: u64) -> Sample {
        let lease = |id: u64| {
            let raw = uapi::pinlease_next {
                id,
                length: 8192,
                pins: 1,
                pinned_bytes: (4 - id) << 20,
                pid: 100,
                path_size: 5,
                ..Default::default()
            };
            LeaseInfo::from_raw(&raw, format!("/m/{}\0", 4 - id).as_bytes())
        };
        let activity = |id: u64| {
            let rearmed = if id == 2 { 100 * seconds } else { 0 };
            let activity = Activity {
                id,
                rearmed,
                rearmed_bytes: 4096 * rearmed,
                bounced_bytes: 8192 * rearmed,
                breaks: if id == 3 { 7 } else { 0 },
                ..Activity::default()
            };
            (id, activity)
        };
        Sample {
            time: Duration::from_secs(seconds),
            leases: (1..=3).map(lease).collect(),
            counts: Ok(Counts {
                activities: (1..=3).map(activity).collect(),
                totals: [("snapshots_in_flight".to_owned(), 5)].into(),
            }),
        }
    }

    fn ids(order: Order, reversed: bool) -> Vec<u64> {
        let list = List::new(&sample(1), &sample(3), order, reversed);
        list.lines.iter().map(|line| line.id).collect()
    }

    #[test]
    fn orders() {
        assert_eq!(ids(Order::Lease, false), [1, 2, 3]);
        assert_eq!(ids(Order::Lease, true), [3, 2, 1]);
        assert_eq!(ids(Order::File, false), [3, 2, 1]);
        assert_eq!(ids(Order::Pinned, false), [1, 2, 3]);
        for order in [Order::Dirty, Order::Bounced, Order::Rearmed] {
            assert_eq!(ids(order, false), [2, 1, 3], "{order:?}");
        }
        assert_eq!(ids(Order::Breaks, false), [3, 1, 2]);
        assert_eq!(Order::Breaks.step(1), Order::Lease);
        assert_eq!(Order::Lease.step(-1), Order::Breaks);
        for order in Order::value_variants() {
            assert_eq!(order.step(1).step(-1), *order);
        }
    }

    #[test]
    fn rates_of_two_looks() {
        let list = List::new(&sample(1), &sample(3), Order::Bounced, false);
        let rates = list.lines[0].rates.unwrap();
        assert_eq!((rates.rearmed, rates.bounced), (100.0, 819_200.0));
        assert_eq!(list.lines[1].rates, Some(Rates::default()));
        assert_eq!(list.missing, None);
        assert_eq!(
            list.summary,
            "3 leases, 3 pins of 6.0M; dirty 400K/s, copied 800K/s, 5 in flight, copies 0, at most 0"
        );
    }

    #[test]
    fn a_new_lease() {
        let mut before = sample(1);
        before.leases.clear();
        before.counts = Ok(Counts::default());
        let list = List::new(&before, &sample(2), Order::Bounced, false);
        assert_eq!(list.lines[0].rates.unwrap().rearmed, 200.0);
    }

    #[test]
    fn without_debugfs() {
        let without = |seconds| Sample {
            counts: Err("rates are not known: x".into()),
            ..sample(seconds)
        };
        let list = List::new(&without(1), &without(2), Order::Bounced, false);
        assert_eq!(list.missing.as_deref(), Some("rates are not known: x"));
        assert_eq!(list.summary, "3 leases, 3 pins of 6.0M");
        assert!(list.lines.iter().all(|line| line.rates.is_none()));
    }
}
