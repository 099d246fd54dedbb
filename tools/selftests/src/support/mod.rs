// SPDX-License-Identifier: GPL-2.0
//! What tests share.

mod block;
pub mod breakers;
mod breaking;
mod census;
pub mod channel;
pub mod command;
mod direct;
mod engine;
pub mod expect;
pub mod extended;
mod file_lease;
mod filesystem;
pub mod freeze;
mod holder;
mod integrity;
mod kernel_log;
mod mapped;
pub mod modules;
pub mod proc;
pub mod process;
mod program;
pub mod residue;
mod rig;
mod scratch;
mod seen;
mod signals;
mod stamp;
pub mod sysctl;

pub use block::WriteCounter;
pub use breaking::{handle_usr1, Breaking, Broken, Handler, BREAKER_NAME};
pub use census::{Census, Requirement};
pub use direct::DirectReader;
pub use engine::{Engine, EngineState, Status};
pub use file_lease::{FileLease, Share};
pub use filesystem::Filesystem;
pub use holder::{Act, Answer, Done, Ended, Holder, HolderPlan, When};
pub use integrity::Integrity;
pub use kernel_log::KernelLog;
pub use mapped::{page_size, Fill, Mapped};
pub use program::Program;
pub use rig::{Rig, RigOptions};
pub use scratch::{Layer, Scratch};
pub use seen::{Kind, Seen};
pub use signals::Signals;
pub use stamp::{stamp, Stamp};
