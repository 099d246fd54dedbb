// SPDX-License-Identifier: GPL-2.0
//! Whether the disk holds what it must.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    observation::{Observation, Order, Page, Pages},
    published::Required,
};

/// Problems that are described; the others are only counted.
const DESCRIBED: usize = 5;

/// What became of what was published.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Verdict {
    /// Pages that were compared.
    pub compared: u64,
    /// Of these, how many have a word older than what was published.
    pub lost: u64,
    /// How many have a word that cannot be there.
    pub foreign: u64,
    /// How many cannot be read.
    pub unreadable: u64,
    /// Everything else that is wrong: no mount, a missing file, a damaged filesystem.
    pub other: u64,
    /// The first problems, in words.
    pub problems: Vec<String>,
}

impl Verdict {
    /// The verdict over a state that the guest could not even look at.
    pub fn unseen(why: String) -> Self {
        let mut verdict = Self::default();
        verdict.other(why);
        verdict
    }

    /// Whether a promise was broken.
    pub fn is_violation(&self) -> bool {
        self.lost + self.foreign + self.unreadable + self.other > 0
    }

    fn other(&mut self, why: String) {
        self.other += 1;
        // Rarer than pages, and said first.
        self.problems.insert(0, why);
        self.problems.truncate(DESCRIBED);
    }

    fn describe(&mut self, why: String) {
        if self.problems.len() < DESCRIBED {
            self.problems.push(why);
        }
    }

    fn page(&mut self, file: &str, number: u64, page: Page, least: u64, newest: u64) {
        self.compared += 1;
        let count = match page {
            Page::Of(oldest, _) if oldest < least => &mut self.lost,
            Page::Of(_, last) if last > newest => &mut self.foreign,
            Page::Of(..) => return,
            Page::Foreign => &mut self.foreign,
            Page::Unreadable => &mut self.unreadable,
        };
        *count += 1;
        self.describe(format!(
            "{file}, page {number}: {page:?}, not within {least} and {newest}"
        ));
    }
}

/// What to look at in a state of which this is required.
pub fn order(
    number: u64,
    filesystem: selftests::support::Filesystem,
    required: &BTreeMap<String, Required>,
) -> Order {
    let pages = |required: &Required| Pages {
        origin: required.origin,
        first: required.origin,
        end: required.length(),
    };
    Order {
        number,
        filesystem,
        files: required
            .iter()
            .map(|(file, required)| (file.clone(), pages(required)))
            .collect(),
    }
}

/// Compares what was seen with what is required.
pub fn judge(required: &BTreeMap<String, Required>, seen: &Observation) -> Verdict {
    let mut verdict = Verdict::default();
    if let Some(why) = &seen.mount {
        verdict.other(format!("mount: {why}"));
    }
    if let Some(why) = &seen.check {
        verdict.other(format!("check: {why}"));
    }
    for line in &seen.kernel {
        verdict.other(format!("kernel: {line}"));
    }
    for (file, required) in required {
        let pages = match seen.files.get(file) {
            Some(Ok(pages)) => pages,
            // Said already.
            None if seen.mount.is_some() => continue,
            None => {
                verdict.other(format!("{file}: not looked at"));
                continue;
            }
            Some(Err(why)) => {
                verdict.other(format!("{file}: {why}"));
                continue;
            }
        };
        for (&number, &least) in &required.pages {
            let index = usize::try_from(number - required.origin).ok();
            match index.and_then(|index| pages.get(index)) {
                Some(page) => verdict.page(file, number, *page, least, required.newest),
                None => verdict.other(format!("{file}, page {number}: not looked at")),
            }
        }
    }
    if verdict.compared == 0 && !verdict.is_violation() {
        verdict.other("nothing was compared".into());
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;
    use selftests::support::Filesystem;

    fn required() -> BTreeMap<String, Required> {
        let required = Required {
            origin: 2,
            pages: [(2, 7), (3, 9)].into(),
            newest: 20,
        };
        [("a".into(), required)].into()
    }

    fn seen(pages: &[Page]) -> Observation {
        Observation {
            files: [("a".into(), Ok(pages.into()))].into(),
            ..Observation::default()
        }
    }

    fn counts(pages: &[Page]) -> (u64, u64, u64, u64, u64) {
        let Verdict {
            compared,
            lost,
            foreign,
            unreadable,
            other,
            ..
        } = judge(&required(), &seen(pages));
        (compared, lost, foreign, unreadable, other)
    }

    #[test]
    fn what_was_published_or_is_newer_is_right() {
        let verdict = judge(&required(), &seen(&[Page::Of(7, 7), Page::Of(9, 20)]));
        assert_eq!(verdict.compared, 2);
        assert!(!verdict.is_violation() && verdict.problems.is_empty());
    }

    #[test]
    fn each_word_counts() {
        assert_eq!(counts(&[Page::Of(6, 8), Page::Of(9, 9)]), (2, 1, 0, 0, 0));
        assert_eq!(counts(&[Page::Of(7, 7), Page::Of(8, 8)]), (2, 1, 0, 0, 0));
        assert_eq!(counts(&[Page::Of(7, 7), Page::Of(9, 21)]), (2, 0, 1, 0, 0));
        assert_eq!(counts(&[Page::Foreign, Page::Unreadable]), (2, 0, 1, 1, 0));
    }

    /// The mutant of a checker that is fed with a later generation: it must convict what was right.
    #[test]
    fn a_later_requirement_convicts_the_same_disk() {
        let right = seen(&[Page::Of(7, 7), Page::Of(9, 9)]);
        assert!(!judge(&required(), &right).is_violation());
        let mut later = required();
        for least in later.get_mut("a").unwrap().pages.values_mut() {
            *least += 1;
        }
        let verdict = judge(&later, &right);
        assert_eq!(verdict.lost, 2);
        assert!(verdict.is_violation());
    }

    #[test]
    fn what_was_not_seen_is_not_right() {
        assert_eq!(counts(&[Page::Of(7, 7)]), (1, 0, 0, 0, 1));
        let nothing = Observation::default();
        assert!(judge(&required(), &nothing).is_violation());
        assert!(judge(&BTreeMap::new(), &nothing).is_violation());
        let mut missing = seen(&[]);
        missing.files.insert("a".into(), Err("No such file".into()));
        assert_eq!(judge(&required(), &missing).other, 1);
    }

    #[test]
    fn the_filesystem_itself_must_be_sound() {
        let right = seen(&[Page::Of(7, 7), Page::Of(9, 9)]);
        let check = Some("bad inode".into());
        let damaged = Observation {
            check,
            ..right.clone()
        };
        assert_eq!(judge(&required(), &damaged).other, 1);
        let kernel = vec!["WARNING: somewhere".into()];
        let loud = Observation {
            kernel,
            ..right.clone()
        };
        assert_eq!(judge(&required(), &loud).other, 1);
        let unmounted = Observation {
            mount: Some("Structure needs cleaning".into()),
            ..Observation::default()
        };
        assert_eq!(judge(&required(), &unmounted).other, 1);
    }

    #[test]
    fn the_guest_is_asked_for_all_that_is_required() {
        let order = order(5, Filesystem::Xfs, &required());
        let pages = order.files["a"];
        assert_eq!((pages.origin, pages.first, pages.end), (2, 2, 4));
    }
}
