// SPDX-License-Identifier: GPL-2.0
//! Text, for files and programs that read lines.

use std::{
    io::{stdout, Write},
    os::fd::AsFd,
    time::{Duration, SystemTime},
};

use anyhow::Result;
use comfy_table::{presets::NOTHING, Table};
use humantime::format_rfc3339_seconds;
use pinlease::Device;

use super::{
    line::Line,
    list::{List, Order},
    sample::Sample,
};
use crate::wait;

/// Prints a table after each delay, until it is ended.
pub fn run(device: &Device, delay: Duration, order: Order, iterations: Option<u32>) -> Result<()> {
    let end = wait::catch_end()?;
    let mut before = Sample::take(device)?;
    let mut printed = 0;
    while iterations.is_none_or(|iterations| printed < iterations) {
        if wait::for_one_within(end.as_fd(), delay)? {
            break;
        }
        let after = Sample::take(device)?;
        let list = List::new(&before, &after, order, false);
        let mut out = stdout().lock();
        if printed > 0 {
            writeln!(out)?;
        }
        write!(out, "{}", text(&list, SystemTime::now()))?;
        out.flush()?;
        before = after;
        printed += 1;
    }
    Ok(())
}

/// One table, with what all leases have above it.
fn text(list: &List, now: SystemTime) -> String {
    let mut text = format!("{} {}\n", format_rfc3339_seconds(now), list.summary);
    if let Some(missing) = &list.missing {
        text += missing;
        text.push('\n');
    }
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.set_header(Line::HEADER);
    table.add_rows(list.lines.iter().map(|line| line.cells(None, true)));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    text + &table.trim_fmt() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::list::tests::sample;

    #[test]
    fn a_table() {
        let list = List::new(&sample(1), &sample(3), Order::Bounced, false);
        let expected = "\
1970-01-01T00:00:00Z 3 leases, 3 pins of 6.0M; dirty 400K/s, copied 800K/s, 5 in flight, copies 0, at most 0
LEASE  FILE  RANGE  HOLDER  POLICY  STATE  PIN   DIRTY/s  COPY/s  ARM/s  BRK
2      /m/2  0,8K   100     kill    held   2.0M  400K     800K    100    0
1      /m/3  0,8K   100     kill    held   3.0M  0        0       0      0
3      /m/1  0,8K   100     kill    held   1.0M  0        0       0      7
";
        assert_eq!(text(&list, SystemTime::UNIX_EPOCH), expected);
        let list = List {
            missing: Some("no rates".into()),
            ..list
        };
        assert_eq!(
            text(&list, SystemTime::UNIX_EPOCH).lines().nth(1),
            Some("no rates")
        );
    }
}
