// SPDX-License-Identifier: GPL-2.0
//! Why the command failed, and with which exit status.

use std::{fmt, process::ExitCode};

/// One line for people, and an exit status.
#[derive(Debug)]
pub struct Failure {
    error: anyhow::Error,
    status: u8,
}

impl Failure {
    /// Fails with `status`.
    pub fn new(status: u8, error: impl Into<anyhow::Error>) -> Self {
        Self {
            error: error.into(),
            status,
        }
    }

    /// The exit status.
    pub fn status(&self) -> ExitCode {
        self.status.into()
    }
}

/// What most failures are.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self { error, status: 1 }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}
