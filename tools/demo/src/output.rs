// SPDX-License-Identifier: GPL-2.0
//! Results that programs read, and progress that people watch.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// Writes `folder/name`, all of it or nothing.
///
/// # Errors
///
/// It cannot be written.
pub fn write_json(folder: &Path, name: &str, value: &impl Serialize) -> Result<()> {
    let path = folder.join(name);
    let partial = folder.join(format!("{name}.partial"));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&partial, serde_json::to_vec(value)?))
        .and_then(|()| fs::rename(&partial, &path))
        .with_context(|| format!("writing {}", path.display()))
}

/// Steps on a terminal; lines elsewhere.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Of `steps` steps, more of which may come.
    pub fn new(steps: u64) -> Self {
        let bar = ProgressBar::new(steps);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}")
        {
            bar.set_style(style);
        }
        bar.enable_steady_tick(std::time::Duration::from_millis(250));
        Self(bar)
    }

    /// More steps are known of.
    pub fn more(&self, steps: u64) {
        self.0.inc_length(steps);
    }

    /// Says what is being done.
    pub fn doing(&self, what: String) {
        if self.0.is_hidden() {
            eprintln!("{what}");
        } else {
            self.0.set_message(what);
        }
    }

    /// A step is done.
    pub fn done(&self, what: &str) {
        self.0.inc(1);
        self.line(what);
    }

    /// Prints a line that stays.
    pub fn line(&self, text: &str) {
        if self.0.is_hidden() {
            eprintln!("{text}");
        } else {
            self.0.println(text);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
