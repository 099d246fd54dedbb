// SPDX-License-Identifier: GPL-2.0
//! `pinlease top`.

use std::{os::unix::process::CommandExt, process::Command, thread, time::Duration};

use anyhow::{ensure, Context as _, Result};

use super::common::{fails, output, pinlease, setup, Opened, PAGE, PAGES};
use crate::{
    harness::{Context, TestResult},
    support::{process::NOBODY, Fill, Program, RigOptions},
};

const LIMIT: Duration = Duration::from_secs(60);

/// While a device writes and somebody calls fsync, the lease has rates; an idle one has none.
pub fn rates(context: &Context) -> TestResult {
    let (device, idle) = setup(context, "top-idle")?;
    let _idle = device.lease(&idle).acquire()?;
    let rig = RigOptions::new(context.side, PAGES, Fill::Faulted).build(&context.path("top"))?;
    rig.engine.start(1, Duration::from_millis(1))?;
    let arguments = ["top", "--batch", "-n", "2", "-d", "2s"];
    let mut top = Program::start(&mut pinlease(context, &arguments)?)?;
    while !top.has_ended()? {
        rig.fsync()?;
        thread::sleep(Duration::from_millis(20));
    }
    let (status, text) = top.everything(LIMIT)?;
    println!("{text}");
    ensure!(status.success(), "{status}");
    let busy = lines_of(&text, rig.mapped.path().to_str().context("UTF-8")?);
    ensure!(busy.len() == 2, "not in both tables");
    for cells in &busy {
        for column in [DIRTY, COPY, ARM] {
            ensure!(
                cells[column] != "0" && cells[column] != "-",
                "no rate: {cells:?}"
            );
        }
        ensure!(
            cells[PINNED] == "16K",
            "{PAGES} pages of {PAGE} are {}",
            cells[PINNED]
        );
    }
    // Whom it writes most comes first.
    let first = text.lines().nth(2).unwrap_or_default();
    ensure!(first.contains("/top "), "{first}");
    let quiet = lines_of(&text, idle.path().to_str().context("UTF-8")?);
    ensure!(quiet.len() == 2, "not in both tables");
    for cells in &quiet {
        let rates = [cells[DIRTY].as_str(), &cells[COPY], &cells[ARM]];
        ensure!(rates == ["0"; 3], "an idle lease has rates: {cells:?}");
    }
    Ok(())
}

/// Cells from the end, as holders have names with spaces.
const PINNED: usize = 4;
const DIRTY: usize = 3;
const COPY: usize = 2;
const ARM: usize = 1;

/// The cells of the lines of a file, the last first.
fn lines_of(text: &str, path: &str) -> Vec<Vec<String>> {
    let lines = text
        .lines()
        .filter(|line| line.split_whitespace().nth(1) == Some(path));
    let cells = |line: &str| {
        line.split_whitespace()
            .rev()
            .map(ToOwned::to_owned)
            .collect()
    };
    lines.map(cells).collect()
}

/// Who is not root sees the list, and is told what is missing.
pub fn user(context: &Context) -> TestResult {
    let (device, mapped) = setup(context, "top-user")?;
    let lease = device.lease(&mapped).acquire()?;
    let _opened = Opened::for_all()?;
    let mut command: Command = pinlease(context, &["top", "--once", "-d", "100ms"])?;
    let text = output({
        command.uid(NOBODY).gid(NOBODY);
        command
    })?;
    let lines: Vec<_> = text.lines().collect();
    ensure!(lines.len() == 4, "{text}");
    ensure!(
        lines[1].contains("debugfs is for root; run as root"),
        "{text}"
    );
    let id = lease.query()?.id.to_string();
    let line: Vec<_> = lines[3].split_whitespace().collect();
    ensure!(
        line[0] == id && line[1..3] == ["inode", &inode(&mapped)?],
        "{text}"
    );
    ensure!(line.ends_with(&["-", "-", "-", "-"]), "{text}");
    Ok(())
}

fn inode(mapped: &crate::support::Mapped) -> Result<String> {
    use std::os::unix::fs::MetadataExt;
    Ok(mapped.file().metadata()?.ino().to_string())
}

/// What cannot be is said in a line.
pub fn errors(context: &Context) -> TestResult {
    let _leases = setup(context, "top-errors")?;
    fails(
        context,
        &["top"],
        "standard output is no terminal; use --batch or --once",
    )
}
