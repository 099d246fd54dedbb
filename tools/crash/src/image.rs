// SPDX-License-Identifier: GPL-2.0
//! The contents of a disk, as the entries of a log make them.

use std::{collections::BTreeMap, fs::File, io, ops::Range, os::unix::fs::FileExt, sync::Arc};

use anyhow::Result;
use nix::fcntl::{fallocate, FallocateFlags};

use crate::{
    cache::Fate,
    log::{Log, Source, SECTOR},
};

/// Bytes that are kept together.
const CHUNK: usize = 1 << 16;

/// The contents of a disk; a clone costs little, and what is not there is zero.
#[derive(Clone, Debug, Default)]
pub struct Image {
    chunks: BTreeMap<u64, Arc<Vec<u8>>>,
}

impl Image {
    /// Does what these entries say.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub fn advance<S: Source>(&mut self, log: &Log<S>, entries: Range<usize>) -> Result<()> {
        for index in entries {
            self.apply(log, index, &Fate::Kept)?;
        }
        Ok(())
    }

    /// Does what the entries from `first` on say, as far as their fates permit.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub fn settle<S: Source>(&mut self, log: &Log<S>, first: usize, fates: &[Fate]) -> Result<()> {
        for (index, fate) in (first..).zip(fates) {
            self.apply(log, index, fate)?;
        }
        Ok(())
    }

    fn apply<S: Source>(&mut self, log: &Log<S>, index: usize, fate: &Fate) -> Result<()> {
        let entry = log.entries()[index];
        let at = entry.sector * SECTOR as u64;
        match fate {
            Fate::Dropped => {}
            Fate::Kept if entry.discard => self.clear(at, entry.sectors * SECTOR as u64),
            Fate::Kept => self.write(at, &log.data(index)?),
            Fate::Part(kept) => {
                let data = log.data(index)?;
                for ((at, sector), kept) in
                    (at..).step_by(SECTOR).zip(data.chunks(SECTOR)).zip(kept)
                {
                    if *kept {
                        self.write(at, sector);
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes bytes.
    pub fn write(&mut self, at: u64, bytes: &[u8]) {
        each_part(at, bytes.len(), |chunk, within, part| {
            let memory = self
                .chunks
                .entry(chunk)
                .or_insert_with(|| Arc::new(vec![0; CHUNK]));
            Arc::make_mut(memory)[within].copy_from_slice(&bytes[part]);
        });
    }

    /// Makes bytes zero.
    pub fn clear(&mut self, at: u64, length: u64) {
        let end = at + length;
        let chunk = CHUNK as u64;
        let whole = at.div_ceil(chunk)..end / chunk;
        if whole.is_empty() {
            self.write(at, &vec![0; length as usize]);
            return;
        }
        self.write(at, &vec![0; (whole.start * chunk - at) as usize]);
        self.write(
            whole.end * chunk,
            &vec![0; (end - whole.end * chunk) as usize],
        );
        let gone: Vec<_> = self
            .chunks
            .range(whole)
            .map(|(&number, _)| number)
            .collect();
        for number in gone {
            self.chunks.remove(&number);
        }
    }

    /// Reads bytes.
    pub fn read(&self, at: u64, bytes: &mut [u8]) {
        each_part(at, bytes.len(), |chunk, within, part| {
            match self.chunks.get(&chunk) {
                Some(memory) => bytes[part].copy_from_slice(&memory[within]),
                None => bytes[part].fill(0),
            }
        });
    }

    /// Makes a file of `size` bytes hold just this, whatever it held.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn write_to(&self, file: &File, size: u64) -> io::Result<()> {
        file.set_len(size)?;
        let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        fallocate(file, flags, 0, size.try_into().map_err(io::Error::other)?)?;
        for (number, memory) in &self.chunks {
            let at = number * CHUNK as u64;
            let length = (size.saturating_sub(at)).min(CHUNK as u64) as usize;
            file.write_all_at(&memory[..length], at)?;
        }
        Ok(())
    }
}

/// Calls `each` for the parts of a range that lie in one chunk: the chunk, the part's place in it, and its place in the
/// range.
fn each_part(at: u64, length: usize, mut each: impl FnMut(u64, Range<usize>, Range<usize>)) {
    let mut done = 0;
    while done < length {
        let from = at + done as u64;
        let within = (from % CHUNK as u64) as usize;
        let count = (CHUNK - within).min(length - done);
        each(
            from / CHUNK as u64,
            within..within + count,
            done..done + count,
        );
        done += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_is_another_disk() {
        let mut image = Image::default();
        image.write(CHUNK as u64 - 3, &[1; 6]);
        let before = image.clone();
        image.write(CHUNK as u64, &[2; 6]);
        let mut bytes = [9; 8];
        before.read(CHUNK as u64 - 4, &mut bytes);
        assert_eq!(bytes, [0, 1, 1, 1, 1, 1, 1, 0]);
        image.read(CHUNK as u64 - 4, &mut bytes);
        assert_eq!(bytes, [0, 1, 1, 1, 2, 2, 2, 2]);
    }

    #[test]
    fn clearing_leaves_what_is_beside() {
        let mut image = Image::default();
        image.write(0, &vec![7; 4 * CHUNK]);
        image.clear(100, 3 * CHUNK as u64);
        let mut bytes = vec![1; 4 * CHUNK];
        image.read(0, &mut bytes);
        assert!(bytes[..100].iter().all(|byte| *byte == 7));
        assert!(bytes[100..100 + 3 * CHUNK].iter().all(|byte| *byte == 0));
        assert!(bytes[100 + 3 * CHUNK..].iter().all(|byte| *byte == 7));
        assert_eq!(image.chunks.len(), 2);
    }

    #[test]
    fn a_file_forgets_what_it_held() {
        let path = std::env::temp_dir().join(format!("crash-image-{}", std::process::id()));
        std::fs::write(&path, vec![5; 3 * CHUNK]).unwrap();
        let mut image = Image::default();
        image.write(CHUNK as u64 + 1, &[8]);
        let file = File::options().write(true).open(&path).unwrap();
        image.write_to(&file, 2 * CHUNK as u64).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(bytes.len(), 2 * CHUNK);
        assert_eq!(bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>(), 8);
        assert_eq!(bytes[CHUNK + 1], 8);
    }
}
