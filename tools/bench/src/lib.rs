// SPDX-License-Identifier: GPL-2.0
//! What pinlease costs, beside what it is compared with.
//!
//! A guest measures, and prints a line for each figure ([`measured`]); the host boots it, with a
//! clock that counts instructions or with that of the host ([`mode`]), and writes bench.json, a
//! table, plots, and a page of the documentation.
//!
//! * [`bar`], [`statistics`], [`report`], [`plot`], [`document`]: what needs neither a guest nor a kernel;
//! * [`guest`]: the program for the guests;
//! * [`host`]: the program for the host.

pub mod bar;
pub mod document;
pub mod guest;
pub mod host;
pub mod measured;
pub mod mode;
pub mod plot;
pub mod report;
pub mod statistics;
