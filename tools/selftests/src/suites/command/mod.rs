// SPDX-License-Identifier: GPL-2.0
//! The command `pinlease`, as its users meet it.

pub(super) mod common;
mod hold;
mod ls;
mod status;
mod top;
mod trace;
mod watch;

use crate::harness::Test;

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("command.ls", ls::fields),
    Test::new("command.ls-none", ls::none),
    Test::new("command.ls-selection", ls::selection),
    Test::new("command.ls-breaking", ls::breaking),
    Test::new("command.ls-other-user", ls::other_user),
    Test::new("command.ls-subvolumes", ls::subvolumes),
    Test::new("command.ls-errors", ls::errors),
    Test::new("command.watch", watch::json),
    Test::new("command.watch-text", watch::as_text),
    Test::new("command.watch-path", watch::path),
    Test::new("command.watch-trace", trace::text),
    Test::new("command.watch-trace-json", trace::json),
    Test::new("command.watch-trace-user", trace::user),
    Test::new("command.top", top::rates),
    Test::new("command.top-user", top::user),
    Test::new("command.top-errors", top::errors),
    Test::new("command.hold", hold::until_the_end),
    Test::new("command.hold-release", hold::release),
    Test::new("command.hold-unpin", hold::unpin),
    Test::new("command.hold-revoked", hold::revoked),
    Test::new("command.hold-killed", hold::killed),
    Test::new("command.hold-grant", hold::grant),
    Test::new("command.hold-errors", hold::errors),
    Test::new("command.status", status::numbers),
    Test::new("command.status-unloaded", status::unloaded),
];
