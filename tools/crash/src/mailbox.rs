// SPDX-License-Identifier: GPL-2.0
//! How the host tells the judging guest what to look at: a small disk, whose first block says how long the text behind it
//! is and which one it is. The guest looks at it past its page cache until the number changes.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

use anyhow::{ensure, Result};
use serde::{Deserialize, Serialize};

use crate::{geometry::BLOCK, observation::Order};

/// Bytes of the disk.
pub const SIZE: u64 = 1 << 20;

/// What the host says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Letter {
    /// A state is on the other disk.
    Look(Order),
    /// There is nothing more to do.
    End,
}

/// The host's end.
#[derive(Debug)]
pub struct Sender {
    file: File,
    letters: u64,
}

impl Sender {
    /// Makes the disk at `path`.
    ///
    /// # Errors
    ///
    /// The file cannot be made.
    pub fn new(path: &Path) -> io::Result<Self> {
        let file = File::create(path)?;
        file.set_len(SIZE)?;
        Ok(Self { file, letters: 0 })
    }

    /// Puts a letter there, in place of the one before it, which must have been answered.
    ///
    /// # Errors
    ///
    /// It is too long, or cannot be written.
    pub fn send(&mut self, letter: &Letter) -> Result<()> {
        let mut text = serde_json::to_vec(letter)?;
        let length = text.len() as u64;
        text.resize(text.len().next_multiple_of(BLOCK), 0);
        ensure!(
            text.len() as u64 <= SIZE - BLOCK as u64,
            "too long a letter"
        );
        self.file.write_all_at(&text, BLOCK as u64)?;
        self.letters += 1;
        let mut head = [0; BLOCK];
        head[..8].copy_from_slice(&self.letters.to_le_bytes());
        head[8..16].copy_from_slice(&length.to_le_bytes());
        self.file.write_all_at(&head, 0)?;
        Ok(())
    }
}

/// The guest's end, which reads blocks by `read`: an offset, and what is there.
#[derive(Debug, Default)]
pub struct Receiver {
    letters: u64,
}

impl Receiver {
    /// The letter, if there is a new one.
    ///
    /// # Errors
    ///
    /// The disk cannot be read, or holds nonsense.
    pub fn poll(
        &mut self,
        mut read: impl FnMut(u64) -> io::Result<[u8; BLOCK]>,
    ) -> Result<Option<Letter>> {
        let head = read(0)?;
        let number =
            |at: usize| -> Result<u64> { Ok(u64::from_le_bytes(head[at..at + 8].try_into()?)) };
        let (letters, length) = (number(0)?, number(8)?);
        if letters == self.letters {
            return Ok(None);
        }
        ensure!(length <= SIZE - BLOCK as u64, "a letter of {length} bytes");
        let mut text = Vec::new();
        for at in (0..length).step_by(BLOCK) {
            text.extend(read(BLOCK as u64 + at)?);
        }
        text.truncate(usize::try_from(length)?);
        self.letters = letters;
        Ok(Some(serde_json::from_slice(&text)?))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use selftests::support::Filesystem;

    use super::*;
    use crate::observation::Pages;

    #[test]
    fn letters_arrive_once() {
        let path = std::env::temp_dir().join(format!("crash-mailbox-{}", std::process::id()));
        let mut sender = Sender::new(&path).unwrap();
        let disk = File::open(&path).unwrap();
        let read = |at| {
            let mut block = [0; BLOCK];
            disk.read_exact_at(&mut block, at).map(|()| block)
        };
        let mut receiver = Receiver::default();
        assert_eq!(receiver.poll(read).unwrap(), None);
        let pages = Pages {
            origin: 0,
            first: 0,
            end: 9,
        };
        // Longer than a block.
        let files: BTreeMap<_, _> = (0..200).map(|n| (format!("file{n}"), pages)).collect();
        let letter = Letter::Look(Order {
            number: 4,
            filesystem: Filesystem::Xfs,
            files,
        });
        sender.send(&letter).unwrap();
        assert_eq!(receiver.poll(read).unwrap(), Some(letter));
        assert_eq!(receiver.poll(read).unwrap(), None);
        sender.send(&Letter::End).unwrap();
        assert_eq!(receiver.poll(read).unwrap(), Some(Letter::End));
        std::fs::remove_file(path).unwrap();
    }
}
