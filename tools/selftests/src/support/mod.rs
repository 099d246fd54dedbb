// SPDX-License-Identifier: GPL-2.0
//! What tests share.

mod census;
pub mod command;
mod direct;
mod engine;
mod filesystem;
mod kernel_log;
mod mapped;
pub mod modules;
mod rig;
mod stamp;
pub mod sysctl;

pub use census::{Census, Requirement};
pub use direct::DirectReader;
pub use engine::{Engine, EngineState, Status};
pub use filesystem::Filesystem;
pub use kernel_log::KernelLog;
pub use mapped::{page_size, Fill, Mapped};
pub use rig::{Rig, RigOptions};
pub use stamp::{stamp, Stamp};
