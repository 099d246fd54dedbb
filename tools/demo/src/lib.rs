// SPDX-License-Identifier: GPL-2.0
//! What the host's programs share: results, and running a guest.

pub mod cell;
pub mod consumer;
pub mod features;
pub mod filesystem_table;
pub mod found;
pub mod guest;
pub mod kernel;
pub mod output;
pub mod parts;
pub mod recorded;
pub mod report;
pub mod run;
pub mod table;
pub mod tutorial;
pub mod verdict;
