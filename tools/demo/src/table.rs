// SPDX-License-Identifier: GPL-2.0
//! The demo's tables.

use comfy_table::{presets::UTF8_FULL_CONDENSED, Table};
use selftests::{consumers, harness::Side, support::Filesystem};

use crate::{
    cell::{Measured, Scenario, Verdict},
    consumer::Consumed,
};

/// Filesystem × scenario: stock kernel, and pinlease.
pub fn table(filesystems: &[Filesystem], measured: &[Measured]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header(["", "scenario", "stock kernel", "with pinlease"]);
    for &fs in filesystems {
        for scenario in Scenario::ALL {
            let [stock, pinlease] = Side::BOTH.map(|side| {
                measured
                    .iter()
                    .find(|m| m.fs == fs && m.scenario == scenario.number() && m.side == side)
                    .map_or_else(|| "not measured".into(), describe)
            });
            table.add_row([
                fs.name().to_owned(),
                format!("{}: {}", scenario.number(), scenario.title()),
                stock,
                pinlease,
            ]);
        }
    }
    table
}

/// Filesystem × consumer: stock kernel, and pinlease.
pub fn consumer_table(filesystems: &[Filesystem], consumed: &[Consumed]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header(["", "consumer", "stock kernel", "with pinlease"]);
    for &fs in filesystems {
        for consumer in consumers::ALL {
            let [stock, pinlease] = Side::BOTH.map(|side| {
                consumed
                    .iter()
                    .find(|c| c.fs == fs && c.consumer == consumer.name && c.side == side)
                    .map_or_else(|| "not measured".into(), describe_consumer)
            });
            table.add_row([
                fs.name().to_owned(),
                format!("{}: {}", consumer.name, consumer.title),
                stock,
                pinlease,
            ]);
        }
    }
    table
}

/// Such as "refused".
pub(crate) fn describe_consumer(consumed: &Consumed) -> String {
    let Ok(measured) = &consumed.result else {
        return "failed, see above".into();
    };
    let mark = if consumed.as_it_should_be() {
        ""
    } else {
        "  (!)"
    };
    format!("{measured}{mark}")
}

/// Such as "lost: 64 of 64 pages".
pub(crate) fn describe(measured: &Measured) -> String {
    let census = match &measured.result {
        Ok(census) => *census,
        Err(_) => return "failed, see above".into(),
    };
    let all = census.kept + census.lost + census.torn;
    let mark = if measured.as_it_should_be() {
        ""
    } else {
        "  (!)"
    };
    match Verdict::from(census) {
        Verdict::Lost => format!("lost: {} of {all} pages{mark}", census.lost),
        Verdict::Torn => format!("torn: {} of {all} pages{mark}", census.torn),
        Verdict::Kept => format!("kept: {} of {all} pages{mark}", census.kept),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use selftests::support::Census;

    #[test]
    fn unexpected_results_are_marked() {
        let mut measured = Measured {
            fs: Filesystem::Xfs,
            scenario: 1,
            side: Side::Pinlease,
            result: Ok(Census {
                kept: 60,
                lost: 4,
                torn: 0,
            }),
        };
        assert_eq!(describe(&measured), "lost: 4 of 64 pages  (!)");
        measured.side = Side::Stock;
        let text = table(&[Filesystem::Xfs], &[measured]).to_string();
        assert!(text.contains("lost: 4 of 64 pages "));
        assert!(!text.contains("(!)"));
        assert!(text.contains("not measured"));
    }
}
