// SPDX-License-Identifier: GPL-2.0
//! `pinlease top`.

mod amount;
mod batch;
mod line;
mod list;
mod sample;
mod screen;
mod view;

use std::{
    io::{stdout, IsTerminal},
    process::ExitCode,
    time::Duration,
};

use anyhow::{bail, Result};
use clap::Args;
use pinlease::Device;

use list::Order;

/// Show leases and what is done for them, again and again.
///
/// Sizes and rates are rounded. What is written per second, re-arms and breaks are only known to
/// root, from debugfs.
#[derive(Args, Debug)]
pub struct Top {
    /// Time between two looks, such as 500ms.
    #[arg(short, long, value_name = "TIME", default_value = "1s", value_parser = delay)]
    delay: Duration,
    /// By what leases are sorted.
    #[arg(short, long, value_enum, default_value_t = Order::Bounced)]
    sort: Order,
    /// Print text, one table after the other.
    #[arg(short, long)]
    batch: bool,
    /// End after so many tables.
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    iterations: Option<u32>,
    /// Print one table: as --batch -n 1.
    #[arg(long, conflicts_with = "iterations")]
    once: bool,
}

/// Not so short that looking is all that is done.
fn delay(text: &str) -> Result<Duration, String> {
    let delay = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match delay {
        delay if delay < Duration::from_millis(100) => Err("less than 100ms".into()),
        delay if delay > Duration::from_secs(86400) => Err("more than a day".into()),
        delay => Ok(delay),
    }
}

impl Top {
    /// Shows them.
    pub fn run(self) -> Result<ExitCode> {
        let device = Device::open()?;
        let iterations = if self.once { Some(1) } else { self.iterations };
        if self.batch || self.once {
            batch::run(&device, self.delay, self.sort, iterations)?;
        } else if stdout().is_terminal() {
            screen::run(&device, self.delay, self.sort, iterations)?;
        } else {
            bail!("standard output is no terminal; use --batch or --once");
        }
        Ok(ExitCode::SUCCESS)
    }
}
