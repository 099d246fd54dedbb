// SPDX-License-Identifier: GPL-2.0
//! Numbers and names as people read them.

use std::time::Duration;

/// No file offset is larger.
pub const LAST: u64 = i64::MAX as u64;

/// A number of bytes, exactly; K, M and G are powers of 1024, as on the
/// command line.
pub fn bytes(number: u64) -> String {
    for (shift, letter) in [(30, 'G'), (20, 'M'), (10, 'K')] {
        if number != 0 && number.trailing_zeros() >= shift {
            return format!("{}{letter}", number >> shift);
        }
    }
    number.to_string()
}

/// A range as [`FileRange`](crate::range::FileRange) reads it, or `OFFSET,end`
/// for one without end.
pub fn range(offset: u64, length: u64) -> String {
    match offset.checked_add(length) {
        Some(end) if end < LAST => format!("{},{}", bytes(offset), bytes(length)),
        _ => format!("{},end", bytes(offset)),
    }
}

/// A time to the millisecond, such as 5s, 1.5s or 20ms.
pub fn time(time: Duration) -> String {
    format!("{:?}", Duration::from_millis(milliseconds(time)))
}

/// Whole milliseconds; saturates.
pub fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Whole nanoseconds; saturates.
pub fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A name that somebody else chose, fit for a terminal and for one line.
pub fn printable(name: &str) -> String {
    name.chars()
        .flat_map(|letter| {
            let (plain, escaped) = if letter.is_control() {
                (None, Some(letter.escape_default()))
            } else {
                (Some(letter), None)
            };
            plain.into_iter().chain(escaped.into_iter().flatten())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_exact() {
        for (number, text) in [
            (0, "0"),
            (1, "1"),
            (1023, "1023"),
            (1024, "1K"),
            (4097, "4097"),
            (3 << 20, "3M"),
            ((3 << 20) + 1024, "3073K"),
            (1 << 40, "1024G"),
        ] {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn ranges() {
        assert_eq!(range(4096, 2 << 20), "4K,2M");
        assert_eq!(range(5, 7), "5,7");
        assert_eq!(range(4096, LAST - 4096), "4K,end");
        assert_eq!(range(4096, u64::MAX), "4K,end");
    }

    #[test]
    fn times() {
        assert_eq!(time(Duration::from_secs(5)), "5s");
        assert_eq!(time(Duration::from_micros(1_500_900)), "1.5s");
        assert_eq!(time(Duration::from_millis(20)), "20ms");
        assert_eq!(nanoseconds(Duration::MAX), u64::MAX);
    }

    #[test]
    fn names() {
        assert_eq!(printable("a\u{1b}[2Jb\nc ä"), "a\\u{1b}[2Jb\\nc ä");
    }
}
