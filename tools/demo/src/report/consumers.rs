// SPDX-License-Identifier: GPL-2.0
//! Programs that know nothing of pinlease: what they asked for, and what they got.

use maud::{html, Markup};
use selftests::{
    consumers::{self, Consumer},
    harness::Side,
    support::Filesystem,
};

use super::panel::name;
use crate::{consumer::Consumed, found::Found, table::describe_consumer};

/// A table for each filesystem.
pub fn tables(found: &Found) -> Markup {
    html! {
        @for fs in found.filesystems() {
            div.scroll {
                table.wide-cells {
                    caption { (fs) }
                    thead { tr {
                        th scope="col" { "Who asks" }
                        @for side in Side::BOTH { th scope="col" { (name(side)) } }
                    } }
                    tbody { @for consumer in consumers::ALL { (row(found, fs, consumer)) } }
                }
            }
        }
    }
}

fn row(found: &Found, fs: Filesystem, consumer: &Consumer) -> Markup {
    html! {
        tr {
            th scope="row" { (consumer.name) small { (consumer.title) } }
            @for side in Side::BOTH {
                @match found.consumed(fs, consumer.name, side) {
                    Some(consumed) => (cell(consumed)),
                    None => td.failed { "not measured" },
                }
            }
        }
    }
}

fn cell(consumed: &Consumed) -> Markup {
    let (class, said) = match &consumed.result {
        Ok(measured) if measured.registered && measured.durable => ("kept", &measured.detail),
        Ok(measured) if measured.registered => ("lost", &measured.detail),
        Ok(measured) => ("refused", &measured.detail),
        Err(error) => ("failed", error),
    };
    html! {
        td {
            span.(class) data-mark=(class) { (describe_consumer(consumed)) }
            @if class == "refused" || class == "failed" {
                details {
                    summary { code { (telling_line(said)) } }
                    pre { (said.trim()) }
                }
            } @else {
                small { (said.trim()) " pages" }
            }
        }
    }
}

/// The line of a program's output that has its error, or else the last.
fn telling_line(output: &str) -> &str {
    let mut lines = output
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let is_error = |line: &&str| {
        let line = line.to_lowercase();
        ["bad address", "err=", "couldn't", "error"]
            .iter()
            .any(|word| line.contains(word))
    };
    let first = lines.clone().find(is_error);
    first
        .or_else(|| lines.next_back())
        .unwrap_or("it said nothing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_with_the_error() {
        let rdma =
            "WARNING: BW peak\nallocated mmap buffer\nCouldn't allocate MR\nfailed to create mr\n";
        assert_eq!(telling_line(rdma), "Couldn't allocate MR");
        assert_eq!(
            telling_line("\naf-xdp: XDP_UMEM_REG: Bad address"),
            "af-xdp: XDP_UMEM_REG: Bad address"
        );
        assert_eq!(telling_line("one\ntwo\n\n"), "two");
        assert_eq!(telling_line(""), "it said nothing");
    }
}
