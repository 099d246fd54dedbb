// SPDX-License-Identifier: GPL-2.0

//! Pinned pages as runs within folios: 16 bytes for each folio, however many of its pages are
//! pinned.

/// Consecutive pinned pages of one folio. `F` names the folio, as a pointer does; then it is
/// `struct pinlease_run` of C.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run<F> {
    /// The folio.
    pub folio: F,
    /// Pages before this run in the pin.
    pub delta: u32,
    /// Pages in it.
    pub pages: u32,
}

/// What the next pinned pages mean for the runs so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step<F> {
    /// They belong to the last run, which is now this.
    Extend(Run<F>),
    /// They begin this run.
    Begin(Run<F>),
}

/// Adds `pages` pages of `folio` after the run `last`.
pub fn step<F: Copy + Eq>(last: Option<Run<F>>, folio: F, pages: u32) -> Step<F> {
    match last {
        // Pages of a pin are consecutive in the file, hence in the folio.
        Some(run) if run.folio == folio => Step::Extend(Run {
            pages: run.pages + pages,
            ..run
        }),
        Some(run) => Step::Begin(Run {
            folio,
            delta: run.delta + run.pages,
            pages,
        }),
        None => Step::Begin(Run {
            folio,
            delta: 0,
            pages,
        }),
    }
}
