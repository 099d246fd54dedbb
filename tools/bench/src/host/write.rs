// SPDX-License-Identifier: GPL-2.0
//! Where the results go.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use demo::output::write_json;

use super::Options;
use crate::{plot::draw_all, report::Report};

/// Writes all of it, and returns the names of the files.
///
/// # Errors
///
/// One cannot be written.
pub fn write(options: &Options, report: &Report) -> Result<Vec<String>> {
    let folder: &Path = &options.parts.out;
    let json = format!("{}.json", options.stem());
    write_json(folder, &json, report)?;
    let text = format!("{}.txt", options.stem());
    fs::write(folder.join(&text), report.text()).with_context(|| text.clone())?;
    let mut names = vec![json, text];
    if !options.quick {
        names.extend(draw_all(report, folder)?);
    }
    Ok(names)
}
