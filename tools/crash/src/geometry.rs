// SPDX-License-Identifier: GPL-2.0
//! What is where on the disk: a filesystem, and behind it blocks that no filesystem uses.

use selftests::support::Filesystem;

/// Bytes of a block outside of the filesystem.
pub const BLOCK: usize = 4096;

/// Blocks behind the filesystem.
const BLOCKS: u64 = 16;

/// In which block the judging guest finds the number of the state that it is given; no run writes there.
const NUMBER: u64 = BLOCKS - 1;

/// Bytes of the filesystem: as small as it can be with room for what a run writes.
pub fn filesystem_size(filesystem: Filesystem) -> u64 {
    match filesystem {
        Filesystem::Ext4 => 96 << 20,
        Filesystem::Xfs => 304 << 20,
        Filesystem::Btrfs => 256 << 20,
    }
}

/// Bytes of the disk.
pub fn disk_size(filesystem: Filesystem) -> u64 {
    filesystem_size(filesystem) + BLOCKS * BLOCK as u64
}

/// Where a process of a run, which owns `slot`, publishes.
pub fn slot_at(filesystem: Filesystem, slot: u8) -> u64 {
    assert!(u64::from(slot) < NUMBER, "no such slot");
    filesystem_size(filesystem) + u64::from(slot) * BLOCK as u64
}

/// The slot at an offset of the disk, if there is one.
pub fn slot_of(filesystem: Filesystem, at: u64) -> Option<u8> {
    let block = at.checked_sub(filesystem_size(filesystem))? / BLOCK as u64;
    (block < NUMBER).then(|| u8::try_from(block).ok()).flatten()
}

/// Where the number of a state is.
pub fn number_at(filesystem: Filesystem) -> u64 {
    filesystem_size(filesystem) + NUMBER * BLOCK as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_lie_behind_the_filesystem() {
        for filesystem in Filesystem::ALL {
            assert_eq!(slot_of(filesystem, 0), None);
            assert_eq!(slot_of(filesystem, filesystem_size(filesystem) - 1), None);
            for slot in 0..3 {
                let at = slot_at(filesystem, slot);
                assert_eq!(slot_of(filesystem, at), Some(slot));
                assert!(at + BLOCK as u64 <= number_at(filesystem));
            }
            assert_eq!(slot_of(filesystem, number_at(filesystem)), None);
            assert_eq!(number_at(filesystem) + BLOCK as u64, disk_size(filesystem));
        }
    }
}
