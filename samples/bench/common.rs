// SPDX-License-Identifier: GPL-2.0

//! What of `samples/common` is needed here.

#[path = "../common/argument.rs"]
pub(crate) mod argument;
