// SPDX-License-Identifier: GPL-2.0
//! What the module counts, in debugfs: for root.
//!
//! The files are for people, and other versions of the module may have others
//! (Documentation/observing.rst).  Columns are known by their names; one that
//! is missing is an error, one that is unknown is none.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Where the files are.
const FOLDER: &str = "/sys/kernel/debug/pinlease";

/// What was done for a lease since it was acquired.
///
/// Where ranges of leases overlap, it counts for each of them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Activity {
    /// The lease's id, [`LeaseInfo::id`](crate::LeaseInfo::id).
    pub id: u64,
    /// How often GUP was told that others may pin there.
    pub grants: u64,
    /// Writes of its pages from copies.
    pub snapshots: u64,
    /// Bytes that were copied for them.
    pub bounced_bytes: u64,
    /// Folios that were made dirty again.
    pub rearmed: u64,
    /// Bytes in those.
    pub rearmed_bytes: u64,
    /// Pages that were found as they had been written.
    pub unchanged_pages: u64,
    /// Breakers of which the holder was told.
    pub breaks: u64,
}

/// A bucket of a histogram.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bucket {
    /// What was timed, such as `fsync_rearm`.
    pub latency: String,
    /// The shortest in it, nanoseconds.
    pub from_ns: u64,
    /// The longest.
    pub to_ns: u64,
    /// How many there were.
    pub count: u64,
}

/// What was done for each lease that there is now, by rising id.
///
/// # Errors
///
/// debugfs cannot be read (`PermissionDenied`: not root; `NotFound`: it is not
/// mounted, or the module is not loaded), or has something else (`InvalidData`).
pub fn activities() -> io::Result<Vec<Activity>> {
    parsed("leases", |row| {
        Some(Activity {
            id: row.get("id")?,
            grants: row.get("grants")?,
            snapshots: row.get("snapshots")?,
            bounced_bytes: row.get("bounced_bytes")?,
            rearmed: row.get("rearmed")?,
            rearmed_bytes: row.get("rearmed_bytes")?,
            unchanged_pages: row.get("unchanged_pages")?,
            breaks: row.get("breaks")?,
        })
    })
}

/// How long things took, since the module was loaded; without empty buckets.
///
/// # Errors
///
/// As [`activities`].
pub fn latencies() -> io::Result<Vec<Bucket>> {
    parsed("latencies", |row| {
        Some(Bucket {
            latency: row.get("latency")?,
            from_ns: row.get("from_ns")?,
            to_ns: row.get("to_ns")?,
            count: row.get("count")?,
        })
    })
}

/// Sums over all leases since the module was loaded, by name.
///
/// # Errors
///
/// As [`activities`].
pub fn totals() -> io::Result<BTreeMap<String, u64>> {
    let (path, text) = read("totals")?;
    let pair = |line: &str| {
        let (name, number) = line.split_once(' ')?;
        Some((name.to_owned(), number.parse().ok()?))
    };
    let pairs: Option<_> = text.lines().map(pair).collect();
    pairs.ok_or_else(|| unknown(&path))
}

fn read(name: &str) -> io::Result<(PathBuf, String)> {
    let path = Path::new(FOLDER).join(name);
    let text = fs::read_to_string(&path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    Ok((path, text))
}

fn unknown(path: &Path) -> io::Error {
    let what = format!("{}: not what this version knows", path.display());
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn parsed<T>(name: &str, row: impl Fn(&Row<'_>) -> Option<T>) -> io::Result<Vec<T>> {
    let (path, text) = read(name)?;
    table(&text, row).ok_or_else(|| unknown(&path))
}

/// A line, and the names of its columns.
struct Row<'a> {
    names: &'a [&'a str],
    cells: Vec<&'a str>,
}

impl Row<'_> {
    fn get<T: FromStr>(&self, name: &str) -> Option<T> {
        let column = self.names.iter().position(|&known| known == name)?;
        self.cells.get(column)?.parse().ok()
    }
}

/// All rows of a text whose first line names the columns.
fn table<T>(text: &str, row: impl Fn(&Row<'_>) -> Option<T>) -> Option<Vec<T>> {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next()?.split_whitespace().collect();
    lines
        .map(|line| {
            let cells = line.split_whitespace().collect();
            row(&Row {
                names: &names,
                cells,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Option<Vec<(u64, u64)>> {
        table(text, |row| Some((row.get("id")?, row.get("breaks")?)))
    }

    #[test]
    fn columns_are_known_by_their_names() {
        assert_eq!(pairs("id breaks\n7 3\n8 0\n"), Some(vec![(7, 3), (8, 0)]));
        assert_eq!(pairs("new breaks id\n1 3 7\n"), Some(vec![(7, 3)]));
        assert_eq!(pairs("id breaks\n"), Some(vec![]));
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        for text in ["", "id\n7\n", "id breaks\n7\n", "id breaks\n7 x\n"] {
            assert_eq!(pairs(text), None, "{text:?}");
        }
    }
}
