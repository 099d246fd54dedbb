// SPDX-License-Identifier: GPL-2.0
//! Raw bindings of pinlease's and dmasim's ioctl interfaces.
//!
//! Generated from `include/uapi/linux/pinlease.h` and
//! `samples/dmasim/dmasim.h`, where everything is documented.  The number of a
//! command `PINLEASE_IOC_X` is called `PINLEASE_IOC_X_NR` here.

#![no_std]
#![expect(
    missing_docs,
    non_camel_case_types,
    reason = "generated from C, documented there"
)]

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
