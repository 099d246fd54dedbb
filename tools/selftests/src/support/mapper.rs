// SPDX-License-Identifier: GPL-2.0
//! Devices of the device mapper, by dmsetup(8).

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::command::output;

/// A device; dropping it removes it.
#[derive(Debug)]
pub struct MapperDevice {
    name: String,
    path: PathBuf,
}

impl MapperDevice {
    /// A device of one target, in place of one with this name that a killed
    /// test left.
    ///
    /// # Errors
    ///
    /// The kernel refuses the target.
    pub fn create(name: &str, sectors: u64, target: &str) -> Result<Self> {
        remove(name);
        let table = format!("0 {sectors} {target}");
        output("dmsetup", &["create", name, "--table", &table])?;
        // From here on it is removed, whatever happens.
        let mut device = Self {
            name: name.into(),
            path: PathBuf::new(),
        };
        // The guest has no udev that would make the node in /dev/mapper.
        let fields = ["info", "-c", "--noheadings", "-o", "blkdevname", name];
        device.path = Path::new("/dev").join(output("dmsetup", &fields)?.trim());
        Ok(device)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Field `index` of the target's status, behind its name.
    ///
    /// # Errors
    ///
    /// The device mapper does not tell.
    pub fn status(&self, index: usize) -> Result<String> {
        let line = output("dmsetup", &["status", &self.name])?;
        let field = line.split_whitespace().nth(3 + index);
        field
            .map(Into::into)
            .with_context(|| format!("short status '{line}'"))
    }

    /// Such a field that is a number.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn number(&self, index: usize) -> Result<u64> {
        let field = self.status(index)?;
        field.parse().with_context(|| format!("status '{field}'"))
    }

    /// Puts other targets in place of those that it has.
    ///
    /// # Errors
    ///
    /// The kernel refuses them.
    pub fn replace(&self, table: &str) -> Result<()> {
        // Longer than an argument may be, perhaps.
        let file = std::env::temp_dir().join(format!("{}-table", self.name));
        fs::write(&file, table).context("writing the table")?;
        output("dmsetup", &["load", &self.name, &file.to_string_lossy()])?;
        // A filesystem is not frozen for that: it could not write any more.
        output("dmsetup", &["suspend", "--nolockfs", &self.name])?;
        output("dmsetup", &["resume", &self.name])?;
        Ok(())
    }

    /// Tells the target something.
    ///
    /// # Errors
    ///
    /// It refuses.
    pub fn message(&self, text: &str) -> Result<()> {
        output("dmsetup", &["message", &self.name, "0", text]).map(drop)
    }
}

impl Drop for MapperDevice {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Removes a device, if it is there.
pub fn remove(name: &str) {
    let _ = output("dmsetup", &["remove", "--retry", name]);
}
