// SPDX-License-Identifier: GPL-2.0

//! What a run came to.

use serde::Serialize;

use crate::console::Finding;

/// The time was over.
pub const TIMED_OUT: u8 = 124;
/// The guest crashed, or there never was one.
pub const CRASHED: u8 = 125;
/// The command succeeded and the kernel complained.
pub const COMPLAINED: u8 = 126;

/// The summary that `--json` writes.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Our exit status.
    pub status: u8,
    /// The command's, if it ended.
    pub command_status: Option<u8>,
    /// Whether the time was over.
    pub timed_out: bool,
    /// How often the machine was started.
    pub boots: u32,
    /// How many of these died of the emulator.
    pub retries: u32,
    /// What the kernel complained about in the last boot.
    pub console_findings: Vec<Finding>,
    /// From the beginning to the end.
    pub seconds: f64,
    /// From the last start of QEMU to the command's.
    pub boot_seconds: Option<f64>,
    /// What executed the guest.
    pub accelerator: &'static str,
    /// The kernel's release.
    pub kernel: String,
}

/// The same when the power was to be cut: a command that ended before makes it fail.
#[must_use]
pub fn status_of_cut(command: Option<u8>, cut: bool, timed_out: bool, complaints: bool) -> u8 {
    match command {
        _ if cut => status(Some(0), true, timed_out, complaints),
        Some(0) => CRASHED,
        other => status(other, true, timed_out, complaints),
    }
}

/// The exit status that says the most.
#[must_use]
pub fn status(command: Option<u8>, done: bool, timed_out: bool, complaints: bool) -> u8 {
    match command {
        _ if timed_out => TIMED_OUT,
        None => CRASHED,
        Some(0) if !done => CRASHED,
        Some(0) if complaints => COMPLAINED,
        Some(status) => status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_needs_everything() {
        assert_eq!(status(Some(0), true, false, false), 0);
        assert_eq!(status(Some(0), true, false, true), COMPLAINED);
        assert_eq!(status(Some(0), false, false, false), CRASHED);
        assert_eq!(status(Some(0), false, true, false), TIMED_OUT);
    }

    #[test]
    fn the_power_must_be_cut() {
        assert_eq!(status_of_cut(None, true, false, false), 0);
        assert_eq!(status_of_cut(None, true, false, true), COMPLAINED);
        assert_eq!(status_of_cut(Some(0), false, false, false), CRASHED);
        assert_eq!(status_of_cut(Some(7), false, false, false), 7);
        assert_eq!(status_of_cut(None, false, true, false), TIMED_OUT);
        assert_eq!(status_of_cut(None, false, false, false), CRASHED);
    }

    #[test]
    fn a_failure_stays_the_commands_own() {
        assert_eq!(status(Some(7), true, false, true), 7);
        assert_eq!(status(None, false, false, true), CRASHED);
    }
}
