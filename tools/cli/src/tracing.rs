// SPDX-License-Identifier: GPL-2.0
//! The module's tracepoints, by tracefs.

mod instance;
mod line;

pub use instance::Instance;
pub use line::Line;
