// SPDX-License-Identifier: GPL-2.0
//! The command `bench`, for the host.

use std::{fs, process::ExitCode};

use anyhow::{Context, Result};
use bench::{
    document::document,
    host::{boots, write, Options},
    measured::Line,
    report::{number, Figure, Report},
};
use clap::Parser;
use demo::output::Progress;
use selftests::support::command::output;

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    if let Some(path) = &options.table {
        let report = Report::read(&options.parts.out.join(format!("{}.json", options.stem())))?;
        fs::write(path, document(&report)).with_context(|| path.display().to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut report = Report {
        // A tree need not be a clone.
        commit: first_line("git", &["describe", "--always", "--dirty", "--abbrev=12"])
            .unwrap_or_else(|_| "of no known commit".into()),
        date: first_line("date", &["+%Y-%m-%d"])?,
        ..Report::default()
    };
    let boots = boots(&options)?;
    let progress = Progress::new(boots.len() as u64);
    let (mut good, mut names) = (true, Vec::new());
    for boot in &boots {
        progress.doing(format!("{boot}: booting a guest"));
        let before = report.figures.len();
        let told = |line| match line {
            Line::About { kernel } => report.kernel = kernel,
            Line::Measured(measured) => {
                let name = measured.name.clone();
                match Figure::new(measured, boot.mode, boot.filesystem.name()) {
                    Some(figure) => {
                        let median = number(figure.spread.median);
                        progress.line(&format!("{} {median} {}", figure.name, figure.unit.name()));
                        report.figures.push(figure);
                    }
                    None => {
                        progress.line(&format!("{name}: not a number"));
                        good = false;
                    }
                }
            }
        };
        if let Err(error) = boot.run(&options, told, |line| progress.line(line)) {
            progress.line(&format!("{boot}: {error:#}"));
            good = false;
        }
        good &= report.figures.len() > before;
        // What comes next may be interrupted.
        names = write(&options, &report)?;
        progress.done(&boot.to_string());
    }
    drop(progress);
    println!("{}", report.text());
    for name in names {
        println!("{}", options.parts.out.join(name).display());
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The first line of what a program prints.
fn first_line(program: &str, arguments: &[&str]) -> Result<String> {
    let text = output(program, arguments)?;
    Ok(text.lines().next().unwrap_or_default().into())
}
