// SPDX-License-Identifier: GPL-2.0

//! Runs a command on a freshly booted kernel under QEMU.
//!
//! Two programs share this crate: `pinlease-vm` on the host, which builds an initramfs, starts QEMU and relays what the
//! command prints, and `pinlease-vm-guest`, the guest's first process, which makes the guest's file tree, runs the
//! command and reports how it ended. They agree on a [`plan`] (host to guest) and on [`wire`] frames (guest to host).

pub mod accel;
pub mod boot;
pub mod bzimage;
pub mod cli;
pub mod console;
pub mod disk;
pub mod initramfs;
pub mod kernel;
pub mod mounts;
pub mod plan;
pub mod qemu;
pub mod report;
pub mod wire;
