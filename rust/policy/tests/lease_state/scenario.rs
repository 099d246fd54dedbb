// SPDX-License-Identifier: GPL-2.0

//! Who and what there is, before anything happens.

use pinlease_policy::lease_state::{Patience, Policy};
use pinlease_policy::range::PageRange;

/// Pages of the file.
pub const PAGES: u8 = 3;

/// Ticks of the clock that a breaker waits before the policy acts.
pub const GRACE: u8 = 2;

/// A set of pages, a bit for each.
pub type Pages = u8;

/// `pages` as a range, which they are.
pub fn range(pages: Pages) -> PageRange {
    let first = pages.trailing_zeros();
    let count = pages.count_ones();
    assert_eq!(pages, ((1 << count) - 1) << first, "not contiguous");
    PageRange::new(first.into(), count.into()).unwrap()
}

/// The pages of a range.
pub fn pages(range: &PageRange) -> Pages {
    (range.first()..range.end()).fold(0, |pages, page| pages | (1 << page))
}

/// Every range of pages.
pub fn ranges() -> impl Iterator<Item = Pages> {
    (0..PAGES).flat_map(|first| (1..=PAGES - first).map(move |count| ((1 << count) - 1) << first))
}

/// A lease as it was acquired.
#[derive(Clone, Copy, Debug)]
pub struct LeasePlan {
    pub policy: Policy,
    pub range: Pages,
    pub pins: Pages,
    /// The process that acquired it.
    pub holder: usize,
    /// Another process has a copy of its descriptor.
    pub copied: bool,
}

/// Somebody who will break.
#[derive(Clone, Copy, Debug)]
pub struct BreakerPlan {
    pub range: Pages,
    pub patience: Patience,
    /// The holder that it is a thread of.
    pub process: Option<usize>,
}

/// A mistake of the module around the state of leases.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    None,
    /// PIN does not look at breakers that wait.
    PinIgnoresWaiting,
    /// PIN does not look at breakers in their operation.
    PinIgnoresRunning,
    /// A breaker that is interrupted leaves without a word.
    InterruptWithoutSettle,
    /// The pins of a copy of the descriptor stay when the holder was killed.
    CopyKeepsPins,
    /// A breaker that is woken goes on without looking.
    WakesBlindly,
    /// Breakers get their numbers before they are registered; here: before all else.
    NumbersTooEarly,
}

/// Who and what there is; `L` leases and `B` breakers.
#[derive(Clone, Copy, Debug)]
pub struct Scenario<const L: usize, const B: usize> {
    pub leases: [LeasePlan; L],
    pub breakers: [BreakerPlan; B],
    /// Breakers that are interrupted may begin anew, each once.
    pub resumes: bool,
    /// These pages are of one folio.
    pub folio: Pages,
    pub fault: Fault,
}
