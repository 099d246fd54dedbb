// SPDX-License-Identifier: GPL-2.0

//! C declarations: those of the kernel crate, and those that it lacks, made by bindgen from
//! `rust/bindings/bindings.h`.

#![allow(
    non_camel_case_types,
    non_snake_case,
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

/// What btrfs keeps to itself.
pub(crate) use kernel::ffi::c_void as btrfs_inode;
/// What XFS keeps to itself.
pub(crate) use kernel::ffi::c_void as xfs_inode;
