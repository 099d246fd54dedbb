// SPDX-License-Identifier: GPL-2.0
//! Cutting a file.  Not by std, which begins anew after a signal.

use super::Target;

pub(super) fn ftruncate(target: &Target<'_>) -> nix::Result<()> {
    nix::unistd::ftruncate(target.file, target.offset as i64)
}

pub(super) fn truncate(target: &Target<'_>) -> nix::Result<()> {
    nix::unistd::truncate(target.path, target.offset as i64)
}
