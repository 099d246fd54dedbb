// SPDX-License-Identifier: GPL-2.0
//! Opens a page as a reader does: in a browser, of which we ask where everything
//! is, and what it looks like.

use std::{fs, path::Path, process::Command};

use serde::Deserialize;

const BROWSER: &str = "chromium-headless-shell";

/// What the page allows, and what it must allow to be asked.
const POLICY: &str = "default-src 'none';";
const ASKED: &str = "default-src 'none'; script-src 'unsafe-inline';";

/// Says where all is, as JSON in which nothing needs to be escaped.
const QUESTION: &str = r#"
<script>
const round = (n) => Math.round(n * 100) / 100;
const marks = [...document.querySelectorAll("[data-mark]")].map((mark) => {
    const at = mark.getBoundingClientRect(), style = getComputedStyle(mark);
    return {
        mark: mark.dataset.mark, x: round(at.x + scrollX), y: round(at.y + scrollY),
        width: round(at.width), height: round(at.height),
        colour: mark instanceof SVGElement ? style.fill : style.color,
        figure: mark.closest("figure")?.id ?? "", side: mark.closest("[data-side]")?.dataset.side ?? "",
    };
}).filter((mark) => mark.width > 0);
const root = document.documentElement, answer = document.createElement("pre");
answer.id = "answer";
const asked = performance.getEntriesByType("resource").length;
answer.textContent = JSON.stringify({
    marks, asked, scroll_width: root.scrollWidth, width: root.clientWidth, height: root.scrollHeight,
    background: getComputedStyle(document.body).backgroundColor,
});
root.append(answer);
</script>
"#;

/// How the page is shown.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub width: u32,
    pub dark: bool,
}

/// What the browser says.
#[derive(Debug, Deserialize)]
pub struct Answer {
    pub marks: Vec<Mark>,
    /// Things that were asked for over the network.
    pub asked: usize,
    pub scroll_width: u32,
    pub width: u32,
    pub height: u32,
    /// As CSS says it.
    pub background: String,
}

/// Something that is drawn, in pixels of the whole page.
#[derive(Debug, Deserialize)]
pub struct Mark {
    pub mark: String,
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
    pub colour: String,
    pub figure: String,
    pub side: String,
}

/// Rows of pixels.
pub struct Picture {
    pub width: u32,
    pub height: u32,
    pixels: Vec<u8>,
}

/// A page that was looked at.
pub struct Page {
    pub answer: Answer,
    pub picture: Picture,
    /// What the page had to complain of.
    pub console: Vec<String>,
}

/// Looks at a page.
pub fn look(html: &str, window: Window, folder: &Path) -> Page {
    let (page, asked) = (folder.join("page.html"), folder.join("asked.html"));
    fs::write(&page, html).unwrap();
    assert!(html.contains(POLICY), "the page has no policy");
    fs::write(&asked, html.replace(POLICY, ASKED) + QUESTION).unwrap();

    let dom = browse(&asked, window, 800, &["--dump-dom".into()], folder);
    let dom = String::from_utf8(dom.stdout).unwrap();
    let answer = dom
        .split_once(r#"<pre id="answer">"#)
        .and_then(|(_, rest)| rest.split_once("</pre>"));
    let (answer, _) = answer.unwrap_or_else(|| panic!("no answer in {dom}"));
    let answer: Answer = serde_json::from_str(answer).unwrap();

    let shot = folder.join("page.png");
    let option = format!("--screenshot={}", shot.display());
    let shown = browse(&page, window, answer.height, &[option], folder);
    let console = String::from_utf8_lossy(&shown.stderr);
    let console = console.lines().filter(|line| line.contains(":CONSOLE"));
    Page {
        answer,
        picture: Picture::read(&shot),
        console: console.map(str::to_owned).collect(),
    }
}

fn browse(
    page: &Path,
    window: Window,
    height: u32,
    more: &[String],
    folder: &Path,
) -> std::process::Output {
    let scheme = if window.dark { 0 } else { 1 };
    let output = Command::new(BROWSER)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
        ])
        .args([
            "--force-device-scale-factor=1",
            "--enable-logging=stderr",
            "--log-level=0",
        ])
        .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
        .arg(format!(
            "--user-data-dir={}",
            folder.join("profile").display()
        ))
        .arg(format!("--window-size={},{height}", window.width))
        .args(more)
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap_or_else(|error| panic!("{BROWSER}: {error}: make unit runs where it is installed"));
    assert!(output.status.success(), "{BROWSER}: {output:?}");
    output
}

impl Picture {
    fn read(path: &Path) -> Self {
        let file = std::io::BufReader::new(fs::File::open(path).unwrap());
        let mut decoder = png::Decoder::new(file);
        decoder.set_transformations(png::Transformations::ALPHA | png::Transformations::STRIP_16);
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!(info.color_type, png::ColorType::Rgba);
        Self {
            width: info.width,
            height: info.height,
            pixels,
        }
    }

    /// Red, green and blue of a pixel.
    pub fn at(&self, x: f64, y: f64) -> [u8; 3] {
        let (x, y) = (
            (x as u32).min(self.width - 1),
            (y as u32).min(self.height - 1),
        );
        let first = (y * self.width + x) as usize * 4;
        [
            self.pixels[first],
            self.pixels[first + 1],
            self.pixels[first + 2],
        ]
    }

    /// How many colours there are.
    pub fn colours(&self) -> usize {
        let colours: std::collections::BTreeSet<_> = self.pixels.chunks_exact(4).collect();
        colours.len()
    }
}

/// Reads a colour such as `rgb(26, 127, 55)`.
pub fn rgb(css: &str) -> [u8; 3] {
    let inner = css
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    let numbers = inner.unwrap_or_else(|| panic!("colour {css}")).split(", ");
    let numbers: Vec<u8> = numbers.map(|number| number.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}
