// SPDX-License-Identifier: GPL-2.0
//! The program for the host.

mod boot;
mod options;
mod write;

pub use boot::{boots, Boot};
pub use options::Options;
pub use write::write;
