// SPDX-License-Identifier: GPL-2.0
//! The page.

use maud::{html, Markup, PreEscaped, DOCTYPE};
use selftests::support::Filesystem;

use super::{consumers, picture::figure, summary};
use crate::{cell::Scenario, found::Found, run::Host};

const STYLE: &str = include_str!("style.css");

/// Nothing may be loaded, whatever the text of a program says.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Documents that say more, beside the folder of the report.
const DOCUMENTS: [(&str, &str); 5] = [
    ("report", "how this report is made"),
    ("concepts", "the words, and what is promised"),
    ("grants", "programs that cannot be changed"),
    ("limits", "what pinlease does not do"),
    ("testing", "what else is tested"),
];

/// All of it.
pub fn page(found: &Found, host: &Host) -> Markup {
    let filesystems = found.filesystems();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { "pinlease: what make demo found" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "What a device wrote, and what the disk held" }
                    p.conclusion { (conclusion(found)) }
                }
                main {
                    (summary::table(found))
                    (legend())
                    @for scenario in Scenario::ALL { (section(found, &filesystems, scenario)) }
                    section {
                        h2 { "Programs that know nothing of pinlease" }
                        p {
                            "Each has memory of a file pinned for a device or a peer that writes it, and goes on \
                             writing while the file is synced three times. Those under pinlease are started by "
                            code { "pinlease run" } ". A refusal is shown with the program's own error."
                        }
                        (consumers::tables(found))
                    }
                    section { h2 { "What was run" } (summary::what_was_run(found, host)) }
                    section { h2 { "More" } (documents()) }
                }
            }
        }
    }
}

fn conclusion(found: &Found) -> &'static str {
    if found.results() == 0 {
        "Nothing was measured."
    } else if found.as_it_should_be() {
        "Of what was measured, every control on the stock kernel shows its fault, and pinlease keeps every page."
    } else {
        "Not as it should be: see the fields with (!)."
    }
}

fn section(found: &Found, filesystems: &[Filesystem], scenario: Scenario) -> Markup {
    html! {
        section {
            h2 { "Scenario " (scenario.number()) ": " (scenario.title()) }
            p { (scenario.story()) }
            @for &fs in filesystems { (figure(found, fs, scenario)) }
        }
    }
}

/// What the marks mean.
fn legend() -> Markup {
    let mark = |class: &str, name: &str, meaning: &str| {
        html! { li { span.swatch.(class) {} b { (name) } " " (meaning) } }
    };
    html! {
        section.legend {
            h2 { "How to read the pictures" }
            p {
                "The device fills its pages with a generation number, and begins again with the next. The grey \
                 line is the newest generation that it has written; the blue area is the newest that was read \
                 from the disk. Where the blue stays below the grey after an fsync, data is lost. Where \
                 there is no blue, no page could be read. Time goes to the right, and is the same for both sides."
            }
            ul {
                (mark("kept", "kept", "read from the disk after something was promised: holds what it must"))
                (mark("lost", "lost", "holds something older"))
                (mark("torn", "torn", "changed while it was being written: the checksum is wrong"))
                (mark("missing", "not on the disk", "the device wrote it, and the next reading should have found it"))
                (mark("device", "device writes", "when the device wrote"))
                (mark("call", "fsync, flusher, unpin", "from its begin to its end"))
                (mark("snapshot", "snapshots", "pinlease copied pages, and wrote the copies"))
                (mark("disk", "data to disk", "the filesystem gave a write of the file's data to its disk"))
            }
        }
    }
}

fn documents() -> Markup {
    html! {
        ul {
            @for (name, about) in DOCUMENTS {
                li { a href=(format!("../Documentation/{name}.rst")) { "Documentation/" (name) ".rst" } ": " (about) }
            }
        }
    }
}
