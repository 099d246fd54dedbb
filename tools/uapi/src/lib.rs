// SPDX-License-Identifier: GPL-2.0
//! Raw bindings of the ioctl interfaces of pinlease, pinbench, dmasim and edu.
//!
//! Generated from `include/uapi/linux/pinlease.h`, `samples/bench/pinbench.h`,
//! `samples/dmasim/dmasim.h` and `samples/edu/edu.h`, where everything is documented.  The number of a
//! command `PINLEASE_IOC_X` is called `PINLEASE_IOC_X_NR` here.

#![no_std]
#![expect(
    missing_docs,
    non_camel_case_types,
    reason = "generated from C, documented there"
)]

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
