// SPDX-License-Identifier: GPL-2.0
//! Which bytes of a disk hold a file's data, or may hold them after the next
//! write.

use std::{fs::File, ops::Range, os::fd::AsRawFd, path::Path};

use anyhow::{ensure, Context, Result};

use super::{command::output, Filesystem};

/// Extents that are asked for.
const EXTENTS: usize = 128;

/// `FIEMAP_FLAG_SYNC` of linux/fiemap.h.
const SYNC: u32 = 1;

/// `struct fiemap_extent`.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Extent {
    /// Where it is in the file, …
    pub logical: u64,
    /// … where on the disk, or what btrfs takes for it, …
    pub physical: u64,
    /// … and how long: all in bytes.
    pub length: u64,
    reserved64: [u64; 2],
    flags: u32,
    reserved: [u32; 3],
}

/// `struct fiemap` with room for extents.
#[repr(C)]
struct Fiemap {
    start: u64,
    length: u64,
    flags: u32,
    mapped: u32,
    count: u32,
    reserved: u32,
    extents: [Extent; EXTENTS],
}

mod command {
    /// `struct fiemap` without extents, of which the command's number has the
    /// size.
    pub type Header = [u64; 4];

    nix::ioctl_readwrite!(fiemap, b'f', 11, Header);
}

/// The bytes of `disk` where `file`'s data is or will be, of a filesystem that
/// has just this disk.
///
/// # Errors
///
/// The filesystem does not tell.
pub fn data_blocks(file: &File, filesystem: Filesystem, disk: &Path) -> Result<Vec<Range<u64>>> {
    match filesystem {
        Filesystem::Ext4 | Filesystem::Xfs => {
            let extents = extents(file, SYNC)?.into_iter();
            let blocks = extents.map(|extent| extent.physical..extent.physical + extent.length);
            Ok(blocks.collect())
        }
        // Each write goes elsewhere.
        Filesystem::Btrfs => data_chunks(disk),
    }
}

/// Where a file is, without what is not written yet being written.
///
/// # Errors
///
/// The filesystem does not tell.
pub fn extents_as_they_are(file: &File) -> Result<Vec<Extent>> {
    extents(file, 0)
}

fn extents(file: &File, flags: u32) -> Result<Vec<Extent>> {
    let mut map = Fiemap {
        start: 0,
        length: u64::MAX,
        flags,
        mapped: 0,
        count: EXTENTS as u32,
        reserved: 0,
        extents: [Extent::default(); EXTENTS],
    };
    // SAFETY: the structure begins with the header, and has room for as many
    // extents as it says.
    unsafe { command::fiemap(file.as_raw_fd(), std::ptr::from_mut(&mut map).cast()) }
        .context("FS_IOC_FIEMAP")?;
    let mapped = map.mapped as usize;
    ensure!((1..EXTENTS).contains(&mapped), "{mapped} extents");
    Ok(map.extents[..mapped].to_vec())
}

/// Where a btrfs with one disk has data.
fn data_chunks(disk: &Path) -> Result<Vec<Range<u64>>> {
    let disk = disk.display().to_string();
    let arguments = ["inspect-internal", "dump-tree", "-t", "chunk", &disk];
    let chunks = parse_chunks(&output("btrfs", &arguments)?);
    ensure!(!chunks.is_empty(), "no data chunk");
    Ok(chunks)
}

/// The single stripes of the data chunks that btrfs(8) printed.
fn parse_chunks(text: &str) -> Vec<Range<u64>> {
    let after = |line: &str, label: &str| -> Option<u64> {
        let (_, rest) = line.split_once(label)?;
        rest.split_whitespace().next()?.parse().ok()
    };
    let mut length = None;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.contains(" type ") {
            length = line
                .contains("type DATA|single")
                .then(|| after(line, "length "))
                .flatten();
        }
        if let (true, Some(bytes)) = (line.contains("stripe 0 devid"), length) {
            found.extend(after(line, " offset ").map(|start| start..start + bytes));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks() {
        let text = "\
\titem 1 key (FIRST_CHUNK_TREE CHUNK_ITEM 13631488) itemoff 16105 itemsize 80
\t\tlength 8388608 owner 2 stripe_len 65536 type DATA|single
\t\tio_align 65536 io_width 65536 sector_size 4096
\t\tnum_stripes 1 sub_stripes 1
\t\t\tstripe 0 devid 1 offset 13631488
\titem 2 key (FIRST_CHUNK_TREE CHUNK_ITEM 22020096) itemoff 15993 itemsize 112
\t\tlength 8388608 owner 2 stripe_len 65536 type SYSTEM|DUP
\t\t\tstripe 0 devid 1 offset 22020096
\t\t\tstripe 1 devid 1 offset 30408704
";
        let found = parse_chunks(text);
        assert_eq!((found.len(), &found[0]), (1, &(13631488..22020096)));
    }
}
