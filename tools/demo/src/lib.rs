// SPDX-License-Identifier: GPL-2.0
//! What the host's programs share: the demo's result and running a guest.

pub mod cell;
pub mod consumer;
pub mod guest;
pub mod output;
pub mod table;
