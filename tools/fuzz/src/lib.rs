// SPDX-License-Identifier: GPL-2.0
//! Fuzzes the interface of pinlease.
//!
//! [`generate`] and [`mutate`] draw [operations](operation), the [`model`] turns each into a
//! [`call`] and says what may come of it, a [`world`] of two processes does it, and [`run`]
//! compares. A [`crew`] of workers does that side by side, for as long as it is told to.

pub mod call;
pub mod corpus;
pub mod coverage;
pub mod crew;
pub mod executor;
pub mod expected;
pub mod finding;
pub mod generate;
pub mod malformed;
pub mod model;
pub mod mutate;
pub mod operation;
pub mod partner;
pub mod replay;
pub mod run;
pub mod tally;
pub mod variant;
pub mod worker;
pub mod world;
