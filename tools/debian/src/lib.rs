// SPDX-License-Identifier: GPL-2.0
//! The Debian packages where they belong: a Debian with systemd that boots, builds the module by
//! DKMS, boots again, has leases, and is afterwards as it was.
//!
//! The host makes the disk and runs QEMU; what is in the guest's service is [`guest`]. They share a
//! folder: the packages and the program go in, [`outcome`]s come out.

pub mod guest;
pub mod image;
pub mod machine;
pub mod outcome;
