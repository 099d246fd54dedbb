// SPDX-License-Identifier: GPL-2.0
//! open(2) that cuts the file.

use nix::fcntl::OFlag;

use super::Target;

pub(super) fn truncating(target: &Target<'_>) -> nix::Result<()> {
    target.open(OFlag::O_TRUNC).map(drop)
}
