// SPDX-License-Identifier: GPL-2.0
//! Sequences in files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{finding::Finding, operation::Sequence};

/// The sequences of a file, or of all `.json` files of a folder, with their names. A file has a
/// sequence or a [finding](Finding).
///
/// # Errors
///
/// It cannot be read, or is none.
pub fn read(path: &Path) -> Result<Vec<(String, Sequence)>> {
    let mut files = Vec::new();
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            files.push(entry?.path());
        }
        files.retain(|file| {
            file.extension()
                .is_some_and(|extension| extension == "json")
        });
        files.sort();
    } else {
        files.push(path.to_owned());
    }
    files.iter().map(read_file).collect()
}

fn read_file(path: &PathBuf) -> Result<(String, Sequence)> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).with_context(|| name.clone())?;
    let sequence = match serde_json::from_str(&text) {
        Ok(sequence) => sequence,
        Err(_) => {
            serde_json::from_str::<Finding>(&text)
                .with_context(|| name.clone())?
                .sequence
        }
    };
    Ok((name, sequence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_can_be_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
        let sequences = read(&folder).unwrap();
        assert!(!sequences.is_empty());
        assert!(sequences.iter().all(|(_, sequence)| !sequence.0.is_empty()));
    }
}
