// SPDX-License-Identifier: GPL-2.0
//! kselftest-style tests of pinlease.
//!
//! They run as root in a guest of their own, never on a machine that matters:
//! they load modules, change sysctls and write over the disk they are given.
//! See Documentation/testing.rst.
//!
//! * [`consumers`]: programs that have memory pinned, and know of no leases;
//! * [`harness`]: KTAP, one child process per test, time limits;
//! * [`support`]: what tests share: files, devices, filesystems, `/proc`;
//! * [`suites`]: the tests, one file per scenario of the design.

pub mod consumers;
pub mod harness;
pub mod suites;
pub mod support;
