// SPDX-License-Identifier: GPL-2.0
//! The program for the guests: it [`work`]s until the power is cut, or [`look`]s at what is left.

mod device;
mod direct;
mod format;
pub mod look;
mod neighbours;
mod others;
mod publisher;
pub mod recipe;
pub mod work;
