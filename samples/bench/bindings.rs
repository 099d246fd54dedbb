// SPDX-License-Identifier: GPL-2.0

//! C declarations: those of the kernel crate, and our own ioctls.

#![allow(
    non_camel_case_types,
    non_upper_case_globals,
    reason = "generated from C"
)]

#[allow(
    dead_code,
    unreachable_pub,
    improper_ctypes,
    clippy::all,
    clippy::cast_lossless,
    clippy::ptr_as_ptr,
    clippy::undocumented_unsafe_blocks,
    unsafe_op_in_unsafe_fn,
    reason = "generated from C"
)]
#[path = "bindings/generated.rs"]
mod generated;

pub(crate) use generated::*;
