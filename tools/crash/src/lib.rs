// SPDX-License-Identifier: GPL-2.0
//! Power cuts under a writing device.
//!
//! A *run* is a guest that works on a disk whose writes QEMU logs, until the power is cut. A *cut* is a position in that
//! log: what the disk may hold when the power is cut there, by the rules of a volatile write cache. Another guest mounts
//! each of them, and what it reads is compared with what the run had published before that position.
//!
//! * [`log`]: the writes, in the format of dm-log-writes;
//! * [`cache`]: which of them survive;
//! * [`image`]: the disk that they make;
//! * [`cuts`]: where the power is cut;
//! * [`record`]: what a run publishes, and [`published`], what the disk must hold then;
//! * [`verdict`]: whether it does;
//! * [`geometry`]: what is where on the disk;
//! * [`mailbox`]: how the host tells the judging guest what to look at;
//! * [`guest`]: the program for the guests;
//! * [`host`]: the program for the host.
//!
//! All but the last three is logic that needs neither a guest nor a kernel.

pub mod cache;
pub mod cuts;
pub mod geometry;
pub mod guest;
pub mod host;
pub mod image;
pub mod log;
pub mod mailbox;
pub mod mutant;
pub mod observation;
pub mod published;
pub mod record;
pub mod verdict;
