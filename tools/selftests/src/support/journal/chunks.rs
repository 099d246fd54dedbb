// SPDX-License-Identifier: GPL-2.0
//! Where btrfs has put its data on the disk, as the kernel knows it: chunks that
//! no transaction has written yet are there too.

use std::{fs::File, ops::Range, os::fd::AsRawFd};

use anyhow::{Context, Result};

/// A chunk of data, not mirrored.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// What btrfs calls it, …
    pub logical: Range<u64>,
    /// … and where it begins on the disk.
    pub disk: u64,
}

impl Chunk {
    /// Where `address` of btrfs is on the disk, if it is in this chunk.
    pub fn on_disk(&self, address: u64) -> Option<u64> {
        let is_here = self.logical.contains(&address);
        is_here.then(|| self.disk + (address - self.logical.start))
    }
}

/// Numbers of linux/btrfs_tree.h.
const CHUNK_TREE: u64 = 3;
const FIRST_CHUNK_TREE: u64 = 256;
const CHUNK_ITEM: u32 = 228;
const TYPE_DATA: u64 = 1;

/// Bytes of the answer.
const ROOM: usize = 3992;

/// `struct btrfs_ioctl_search_args`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Search {
    tree: u64,
    objects: [u64; 2],
    offsets: [u64; 2],
    transactions: [u64; 2],
    types: [u32; 2],
    items: u32,
    unused: u32,
    unused_too: [u64; 4],
    buffer: [u8; ROOM],
}

/// `struct btrfs_ioctl_search_header`: offset of the key, and length of what follows.
const HEADER: usize = 32;
const OFFSET: usize = 16;
const LENGTH: usize = 28;

/// Of `struct btrfs_chunk`.
const CHUNK_TYPE: usize = 24;
const FIRST_STRIPE: usize = 56;

mod command {
    use super::Search;

    nix::ioctl_readwrite!(search, 0x94, 17, Search);
}

/// The chunks of data of the btrfs that `file` is on, as many as one call tells:
/// more than 20.
///
/// # Errors
///
/// It is none, or the caller is not root.
pub fn chunks(file: &File) -> Result<Vec<Chunk>> {
    let mut search = Search {
        tree: CHUNK_TREE,
        objects: [FIRST_CHUNK_TREE; 2],
        offsets: [0, u64::MAX],
        transactions: [0, u64::MAX],
        types: [CHUNK_ITEM; 2],
        items: u32::MAX,
        unused: 0,
        unused_too: [0; 4],
        buffer: [0; ROOM],
    };
    // SAFETY: the structure is the command's, and lives during the call.
    unsafe { command::search(file.as_raw_fd(), &mut search) }.context("BTRFS_IOC_TREE_SEARCH")?;
    parse(&search.buffer, search.items as usize).context("an answer of btrfs that is too short")
}

/// Reads `items` items, each behind a header.
fn parse(mut bytes: &[u8], items: usize) -> Option<Vec<Chunk>> {
    let mut found = Vec::new();
    for _ in 0..items {
        let (header, rest) = bytes.split_at_checked(HEADER)?;
        let length = u32::from_le_bytes(*header[LENGTH..].first_chunk()?) as usize;
        let (item, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        if number(item, CHUNK_TYPE)? == TYPE_DATA {
            let start = number(header, OFFSET)?;
            found.push(Chunk {
                logical: start..start + number(item, 0)?,
                disk: number(item, FIRST_STRIPE)?,
            });
        }
    }
    Some(found)
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_has_its_size() {
        assert_eq!(size_of::<Search>(), 4096);
    }

    /// An item of a chunk with one stripe.
    fn item(logical: u64, length: u64, kind: u64, disk: u64) -> Vec<u8> {
        let mut bytes = vec![0; HEADER + 80];
        let mut put =
            |at: usize, value: u64| bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        put(OFFSET, logical);
        put(HEADER, length);
        put(HEADER + CHUNK_TYPE, kind);
        put(HEADER + FIRST_STRIPE, disk);
        bytes[LENGTH..HEADER].copy_from_slice(&80_u32.to_le_bytes());
        bytes
    }

    #[test]
    fn only_plain_chunks_of_data() {
        let bytes = [
            item(1000, 100, TYPE_DATA, 5000),
            item(2000, 100, 0x22, 6000),
        ]
        .concat();
        let found = parse(&bytes, 2).unwrap();
        let chunk = Chunk {
            logical: 1000..1100,
            disk: 5000,
        };
        assert_eq!(found, [chunk.clone()]);
        assert_eq!(chunk.on_disk(1010), Some(5010));
        assert_eq!(chunk.on_disk(1100), None);
        assert_eq!(parse(&bytes[..bytes.len() - 1], 2), None);
    }
}
