// SPDX-License-Identifier: GPL-2.0
//! What tests share.

mod block;
mod census;
pub mod command;
mod direct;
mod engine;
pub mod expect;
pub mod extended;
mod filesystem;
pub mod freeze;
mod integrity;
mod kernel_log;
mod mapped;
pub mod modules;
pub mod proc;
pub mod process;
mod rig;
mod scratch;
mod stamp;
pub mod sysctl;

pub use block::WriteCounter;
pub use census::{Census, Requirement};
pub use direct::DirectReader;
pub use engine::{Engine, EngineState, Status};
pub use filesystem::Filesystem;
pub use integrity::Integrity;
pub use kernel_log::KernelLog;
pub use mapped::{page_size, Fill, Mapped};
pub use rig::{Rig, RigOptions};
pub use scratch::{Layer, Scratch};
pub use stamp::{stamp, Stamp};
