// SPDX-License-Identifier: GPL-2.0

//! What the host wants the guest to do, as a JSON file in the initramfs.

use serde::{Deserialize, Serialize};

/// Where the guest finds the plan and its own program; the directory above holds the user's files.
pub const PLAN: &str = "/pinlease/.vm/plan.json";
/// The guest's first process.
pub const GUEST: &str = "/pinlease/.vm/guest";
/// The directory of the user's files, where the command starts.
pub const FILES: &str = "/pinlease";
/// The tag of the 9p share with the environment's file tree.
pub const ROOT_TAG: &str = "root";
/// The tag of the 9p share with the modules of a kernel that is not the environment's.
pub const MODULES_TAG: &str = "modules";

/// What the guest has to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The command and its arguments.
    pub argv: Vec<String>,
    /// Give the command the terminal instead of the wire.
    pub terminal: Option<String>,
    /// Environment variables for the command.
    pub environment: Vec<(String, String)>,
    /// Modules to load first.
    pub modules: Vec<String>,
    /// Whether there is a share with modules for this kernel.
    pub module_share: bool,
    /// The block devices.
    pub disks: Vec<Mount>,
}

/// A block device and what to do with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The device's serial number, and the name of its link and of its mount point.
    pub name: String,
    /// The filesystem on it; `None` leaves it alone.
    pub filesystem: Option<String>,
    /// Mount options.
    pub options: String,
}

impl Mount {
    /// The suffix of the variables that tell the command about this device.
    #[must_use]
    pub fn variable_suffix(&self) -> String {
        self.name.to_uppercase()
    }

    /// A link to the device.
    #[must_use]
    pub fn link(&self) -> String {
        format!("/dev/disk/pinlease/{}", self.name)
    }

    /// Where it is mounted.
    #[must_use]
    pub fn mount_point(&self) -> String {
        format!("/mnt/{}", self.name)
    }
}
