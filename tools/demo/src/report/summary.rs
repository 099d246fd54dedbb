// SPDX-License-Identifier: GPL-2.0
//! The top of the report: what came out, and what was run.

use std::time::{Duration, UNIX_EPOCH};

use maud::{html, Markup};
use selftests::{harness::Side, support::Filesystem};

use super::panel::{class, name};
use crate::{cell::Scenario, found::Found, run::Host, table::describe};

/// The same verdicts as on the terminal.
pub fn table(found: &Found) -> Markup {
    html! {
        div.scroll {
            table {
                thead { tr {
                    th scope="col" { "" } th scope="col" { "Scenario" }
                    @for side in Side::BOTH { th scope="col" { (name(side)) } }
                } }
                tbody {
                    @for fs in found.filesystems() {
                        @for scenario in Scenario::ALL {
                            tr {
                                th scope="row" { (fs) }
                                td { a href=(format!("#{fs}-{}", scenario.number())) {
                                    (scenario.number()) ": " (scenario.title())
                                } }
                                @for side in Side::BOTH { (cell(found, fs, scenario, side)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cell(found: &Found, fs: Filesystem, scenario: Scenario, side: Side) -> Markup {
    let Some(measured) = found.measured(fs, scenario.number(), side) else {
        return html! { td.failed { "not measured" } };
    };
    html! {
        td {
            @match &measured.result {
                Ok(census) => span.(class((*census).into())) { (describe(measured)) },
                Err(error) => span.failed { "failed: " (error) },
            }
        }
    }
}

/// Kernel, module, filesystems, when.
pub fn what_was_run(found: &Found, host: &Host) -> Markup {
    let began = UNIX_EPOCH + Duration::from_secs(host.began);
    html! {
        dl {
            dt { "When" }
            dd {
                time datetime=(humantime::format_rfc3339_seconds(began)) { (humantime::format_rfc3339_seconds(began)) }
                ", for " (humantime::format_duration(Duration::from_secs(host.seconds)))
            }
            dt { "pinlease" }
            dd { @match &host.commit {
                Some(commit) => { "commit " code { (commit) } }
                None => "of no commit that git knows",
            } }
            dt { "Command" }
            dd { code { (host.command.join(" ")) } }
            @for guest in &found.booted {
                dt { (guest.fs) }
                dd {
                    "Linux " code { (guest.release) } " (" (guest.version) "), module " code { (guest.module) }
                    ", mounted " code { (guest.options) } "; "
                    (guest.pages) " pages, " (guest.rounds) " fsyncs in scenario 2"
                }
            }
        }
    }
}
