// SPDX-License-Identifier: GPL-2.0
//! Every breaker, every policy, every answer: scenarios 10 and 11.

mod cell;
mod column;
mod model;
mod observed;

use std::time::Duration;

use anyhow::{ensure, Context as _, Result};
use column::Column;
use comfy_table::{presets::NOTHING, Table};
use serde::{Deserialize, Serialize};

use super::here;
use crate::{
    harness::{Context, TestResult},
    support::{
        breakers::Breaker,
        channel::{channel, Sender},
        process, residue,
    },
};

/// So many breakers are tried at a time: they mostly wait.
const WORKERS: usize = 4;

/// A cell takes no longer than this.
const LIMIT: Duration = Duration::from_secs(60);

/// Times are judged on a machine that others use: a cell is wrong when it was wrong so often. Each
/// time is printed.
const ATTEMPTS: u32 = 3;

/// A cell of the table.
#[derive(Deserialize, Serialize)]
struct Cell {
    row: usize,
    column: usize,
    text: String,
    /// What is wrong with it.
    wrong: Option<String>,
}

/// Runs all cells, prints them as one table, and fails if one is wrong.
pub fn matrix(context: &Context) -> TestResult {
    context.load_modules()?;
    let columns = column::all();
    let breakers = here(context)?;
    let (sender, mut receiver) = channel::<Cell>()?;
    let mut workers = Vec::new();
    for worker in 0..WORKERS {
        workers.push(process::spawn(|| {
            work(context, worker, &breakers, &columns, &sender)
        })?);
    }
    drop(sender);

    let mut table = vec![vec![String::from("?"); columns.len()]; breakers.len()];
    let mut wrong = Vec::new();
    while let Some(cell) = receiver.receive(LIMIT)? {
        if let Some(why) = cell.wrong {
            let (breaker, column) = (breakers[cell.row].name, columns[cell.column]);
            wrong.push(format!("{breaker}, {column}: {why}"));
        }
        table[cell.row][cell.column] = cell.text;
    }
    print(&breakers, &columns, table);
    for worker in workers {
        worker.join().context("a worker")?;
    }
    ensure!(
        wrong.is_empty(),
        "{} cells are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    residue::none_left()
}

/// Tries cells at random, again and again, in files called `name`, until `stop` says so; only those
/// with a patient breaker: when it returns all has happened, however busy the machine is.
///
/// # Errors
///
/// A cell is wrong.
pub fn random_cells(
    context: &Context,
    name: &str,
    random: &mut fastrand::Rng,
    mut stop: impl FnMut() -> bool,
) -> TestResult {
    let mut columns = column::all();
    columns.retain(|column| column.manner == column::Manner::Patient);
    let breakers = here(context)?;
    while !stop() {
        let breaker = breakers[random.usize(..breakers.len())];
        let column = columns[random.usize(..columns.len())];
        let (text, verdict) = try_cell(context, breaker, name, column)?;
        verdict.with_context(|| format!("{}, {column}: {text}", breaker.name))?;
    }
    Ok(())
}

/// Every so-manieth row.
fn work(
    context: &Context,
    worker: usize,
    breakers: &[&Breaker],
    columns: &[Column],
    sender: &Sender<Cell>,
) -> TestResult {
    let rows = breakers.iter().enumerate();
    for (row, breaker) in rows.skip(worker).step_by(WORKERS) {
        for (number, &column) in columns.iter().enumerate() {
            let name = format!("matrix-{row}");
            let (text, verdict) = try_cell(context, breaker, &name, column)?;
            // A message has room for so much.
            let wrong = verdict.err().map(|error| format!("{error:#.1000}"));
            let mark = if wrong.is_some() { " (!)" } else { "" };
            sender.send(&Cell {
                row,
                column: number,
                text: text + mark,
                wrong,
            })?;
        }
    }
    Ok(())
}

/// What a cell shows, and whether it is right.
fn try_cell(
    context: &Context,
    breaker: &Breaker,
    name: &str,
    column: Column,
) -> Result<(String, Result<()>)> {
    let situation = cell::situation(context, breaker)?;
    let Some(expected) = model::expected(column, &situation) else {
        return Ok(("-".into(), Ok(())));
    };
    let mut last = ("?".into(), Ok(()));
    for attempt in 1..=ATTEMPTS {
        last = match cell::run(context, breaker, name, column, &expected) {
            Ok(observed) => {
                let verdict = observed.judge(column, &expected);
                (observed.describe(), verdict)
            }
            Err(error) => ("?".into(), Err(error)),
        };
        match &last.1 {
            Ok(()) => break,
            Err(error) => println!("{}, {column}, attempt {attempt}: {error:#}", breaker.name),
        }
    }
    Ok(last)
}

/// Rows are breakers; a cell is the result and its milliseconds.
fn print(breakers: &[&Breaker], columns: &[Column], cells: Vec<Vec<String>>) {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    let titles = columns.iter().map(ToString::to_string);
    table.set_header(std::iter::once("ms".to_owned()).chain(titles));
    for (breaker, cells) in breakers.iter().zip(cells) {
        table.add_row(std::iter::once(breaker.name.to_owned()).chain(cells));
    }
    println!("{table}");
}
