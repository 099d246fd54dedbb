// SPDX-License-Identifier: GPL-2.0
//! What the service of the guest runs at each boot.

use std::{env, path::PathBuf, process::Command};

use anyhow::{Context, Result};
use debian::guest;

fn main() -> Result<()> {
    let share = PathBuf::from(
        env::args_os()
            .nth(1)
            .context("where is the shared folder?")?,
    );
    let next = guest::boot(&share)?;
    Command::new("systemctl").arg(next).status()?;
    Ok(())
}
