// SPDX-License-Identifier: GPL-2.0
//! demo.html: one file that shows what demo.json says.
//!
//! `timeline` makes of a record what a picture needs, `scale` has its axes,
//! `picture` draws it, and `page` puts all together.

mod consumers;
mod fates;
mod page;
mod panel;
mod picture;
mod scale;
mod summary;
mod timeline;

use std::{fs, path::Path};

use anyhow::{Context, Result};

use crate::{found::Found, run::Host};

/// Writes `folder/demo.html`, all of it or nothing.
///
/// # Errors
///
/// It cannot be written.
pub fn write(found: &Found, host: &Host, folder: &Path) -> Result<()> {
    let path = folder.join("demo.html");
    let partial = folder.join("demo.html.partial");
    fs::write(&partial, html(found, host))
        .and_then(|()| fs::rename(&partial, &path))
        .with_context(|| format!("writing {}", path.display()))
}

/// The report.
pub fn html(found: &Found, host: &Host) -> String {
    page::page(found, host).into_string()
}
