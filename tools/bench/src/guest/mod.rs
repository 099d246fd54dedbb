// SPDX-License-Identifier: GPL-2.0
//! The program for the guests.

mod anonymous;
mod breaker;
mod copy;
mod disk;
mod end_to_end;
mod group;
mod held;
mod hooks;
mod kmem;
mod leases;
mod memory;
mod pinbench;
mod pins;
mod release;
mod scaling;
mod session;
mod throttling;
mod turns;
mod writeback;

pub use group::Group;
pub use session::{measure, Options};
pub use throttling::{bench_throttling, Throttling};
