// SPDX-License-Identifier: GPL-2.0
//! The program for the host: runs, cuts, and the verdict over each.

pub mod judging;
pub mod options;
pub mod report;
pub mod run;
pub mod sitting;
