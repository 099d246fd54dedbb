// SPDX-License-Identifier: GPL-2.0

//! The pure logic: no kernel, no `unsafe`, `core` only.
//!
//! The module includes this file as `crate::policy`; on a host it is a crate, for
//! `cargo test`.

pub mod coverage;
pub mod folio_runs;
pub mod grace;
pub mod histogram;
pub mod lease_state;
pub mod limits;
pub mod range;
pub mod structure_size;
pub mod waits;
pub mod written;
