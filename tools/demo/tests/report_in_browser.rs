// SPDX-License-Identifier: GPL-2.0
//! The report as a reader sees it: of a demo that really ran, whose demo.json is
//! in tests/data, and of the last one here.

mod browser;

use std::{
    fs,
    path::{Path, PathBuf},
};

use demo::{
    cell::{Scenario, Verdict},
    found::Found,
    report,
};
use selftests::harness::Side;

use browser::{look, rgb, Mark, Page, Window};

const WINDOWS: [Window; 3] = [
    Window {
        width: 1280,
        dark: false,
    },
    Window {
        width: 400,
        dark: false,
    },
    Window {
        width: 1280,
        dark: true,
    },
];

/// How much a colour may differ: rounding, and neighbours that shine through.
const LIKE: u8 = 24;

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/demo.json")
}

/// A folder of this test; it stays, for people to look at.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// All that is wrong with how a page looks.
fn complaints(found: &Found, html: &str, window: Window, folder: &Path) -> Vec<String> {
    let page = look(html, window, folder);
    let answer = &page.answer;
    let mut wrong: Vec<_> = page
        .console
        .iter()
        .map(|line| format!("console: {line}"))
        .collect();
    if answer.asked > 0 {
        wrong.push(format!("network: {} requests", answer.asked));
    }
    if answer.scroll_width > answer.width || answer.width != window.width {
        wrong.push(format!(
            "width: {} in {}",
            answer.scroll_width, window.width
        ));
    }
    if (page.picture.width, page.picture.height) != (window.width, answer.height) {
        wrong.push(format!(
            "size: {}x{}",
            page.picture.width, page.picture.height
        ));
    }
    if page.picture.colours() < 16 {
        wrong.push("blank".into());
    }
    let background = rgb(&answer.background);
    if (background.iter().all(|&part| part < 64)) != window.dark {
        wrong.push(format!("background: {background:?}"));
    }
    wrong.extend(answer.marks.iter().filter_map(|mark| unlike(&page, mark)));
    wrong.extend(missing(found, &answer.marks));
    wrong
}

/// Whether a bar has another colour than the page says.
fn unlike(page: &Page, mark: &Mark) -> Option<String> {
    let is_bar = ["kept", "lost", "torn"].contains(&mark.mark.as_str()) && !mark.side.is_empty();
    // Narrower ones are blurred.
    if !is_bar || mark.width < 3.0 || mark.height < 3.0 {
        return None;
    }
    let seen = page
        .picture
        .at(mark.x + mark.width / 2.0, mark.y + mark.height / 2.0);
    let said = rgb(&mark.colour);
    let like = seen
        .iter()
        .zip(said)
        .all(|(seen, said)| seen.abs_diff(said) <= LIKE);
    (!like).then(|| format!("colour: {seen:?}, not {said:?}: {mark:?}"))
}

/// Verdicts that no bar of the picture shows.
fn missing(found: &Found, marks: &[Mark]) -> Vec<String> {
    let mut wrong = Vec::new();
    for fs in found.filesystems() {
        for scenario in Scenario::ALL {
            for side in Side::BOTH {
                let figure = format!("{fs}-{}", scenario.number());
                let shown = |name: &str| {
                    let is_it =
                        |m: &&Mark| m.figure == figure && m.side == side.name() && m.mark == name;
                    marks.iter().filter(is_it).count()
                };
                let measured = found.measured(fs, scenario.number(), side);
                let verdict = measured
                    .and_then(|one| one.result.as_ref().ok())
                    .map(|&c| Verdict::from(c));
                let (wanted, others) = match verdict {
                    Some(Verdict::Kept) => ("kept", shown("lost") + shown("torn")),
                    Some(Verdict::Lost) => ("lost", 0),
                    Some(Verdict::Torn) => ("torn", 0),
                    None => ("any result", 0),
                };
                if shown(wanted) == 0 || others > 0 {
                    wrong.push(format!(
                        "missing: {figure}, {}: {wanted}, beside {others}",
                        side.name()
                    ));
                }
            }
        }
    }
    wrong
}

#[test]
fn a_report_looks_right() {
    let (host, found) = Found::read(&recorded()).unwrap();
    let html = report::html(&found, &host);
    for window in WINDOWS {
        let name = format!(
            "report-{}{}",
            window.width,
            if window.dark { "-dark" } else { "" }
        );
        let wrong = complaints(&found, &html, window, &folder(&name));
        assert!(wrong.is_empty(), "{window:?}: {wrong:#?}");
    }
}

#[test]
fn the_last_report_looks_right() {
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../out");
    let (Ok((_, found)), Ok(html)) = (
        Found::read(&out.join("demo.json")),
        fs::read_to_string(out.join("demo.html")),
    ) else {
        println!("no demo was run here");
        return;
    };
    let wrong = complaints(&found, &html, WINDOWS[0], &folder("last"));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What `complaints` must find.
#[test]
fn faults_are_seen() {
    let (host, found) = Found::read(&recorded()).unwrap();
    let html = report::html(&found, &host);
    let folder = folder("faults");
    let seen = |html: &str, word: &str| {
        let wrong = complaints(&found, html, WINDOWS[0], &folder);
        assert!(
            wrong.iter().any(|line| line.starts_with(word)),
            "{word}: {wrong:?}"
        );
    };
    // A path that is none.
    seen(&html.replacen("d=\"M", "d=\"MNaN ", 1), "console");
    // Nothing is drawn in the colour that the style says.
    seen(
        &html.replace("svg .kept {", "svg .kept { opacity: 0;"),
        "colour",
    );
    seen(
        &html.replacen("<main>", "<main><p style=\"width: 2000px\">x</p>", 1),
        "width",
    );
    seen(
        &html.replacen(
            "<main>",
            "<main><img src=\"http://192.0.2.1/x.png\" alt=\"\">",
            1,
        ),
        "console",
    );
    let mut without = found.clone();
    without.recorded.retain(|recorded| recorded.scenario != 4);
    seen(&report::html(&without, &host), "missing");
}

/// What programs say is text, whatever is in it.
#[test]
fn text_is_escaped() {
    let (host, mut found) = Found::read(&recorded()).unwrap();
    for consumed in &mut found.consumed {
        if let Ok(measured) = &mut consumed.result {
            measured.detail = "<script>error</script> & \"".into();
        }
    }
    let html = report::html(&found, &host);
    assert!(!html.contains("<script"));
    assert!(html.contains("&lt;script&gt;error&lt;/script&gt; &amp; &quot;"));
}

/// A report of nothing says so.
#[test]
fn nothing_was_measured() {
    let html = report::html(&Found::default(), &demo::run::Host::default());
    assert!(html.contains("Nothing was measured."));
}
