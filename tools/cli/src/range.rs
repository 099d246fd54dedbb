// SPDX-License-Identifier: GPL-2.0
//! `FILE[:OFFSET,LENGTH]`.

use std::{path::PathBuf, str::FromStr};

use parse_size::Config;

/// A file, or a part of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileRange {
    /// The file.
    pub path: PathBuf,
    /// First byte.
    pub offset: u64,
    /// Bytes; 0: to the end.
    pub length: u64,
}

impl FromStr for FileRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A name may have colons; what follows the last one is a range only if
        // it has a comma.
        let (path, offset, length) = match text.rsplit_once(':') {
            Some((path, range)) => match range.split_once(',') {
                Some((offset, length)) => (path, size(offset)?, size(length)?),
                None => (text, 0, 0),
            },
            None => (text, 0, 0),
        };
        if path.is_empty() {
            return Err("the file's name is empty".into());
        }
        Ok(Self {
            path: path.into(),
            offset,
            length,
        })
    }
}

/// A number of bytes; K, M and G are powers of 1024.
fn size(text: &str) -> Result<u64, String> {
    let parsed = Config::new().with_binary().parse_size(text);
    parsed.map_err(|error| format!("'{text}' is no number of bytes such as 64K or 2M: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(String, u64, u64), String> {
        let range: FileRange = text.parse()?;
        Ok((range.path.display().to_string(), range.offset, range.length))
    }

    #[test]
    fn ranges() {
        assert_eq!(parse("data"), Ok(("data".into(), 0, 0)));
        assert_eq!(parse("data:4096,8192"), Ok(("data".into(), 4096, 8192)));
        assert_eq!(parse("data:4K,2M"), Ok(("data".into(), 4 << 10, 2 << 20)));
        assert_eq!(parse("data:0,1G"), Ok(("data".into(), 0, 1 << 30)));
        assert_eq!(parse("a:b"), Ok(("a:b".into(), 0, 0)));
        assert_eq!(parse("a:b:0,4k"), Ok(("a:b".into(), 0, 4096)));
        assert!(parse("data:x,1").unwrap_err().contains("'x'"));
        assert!(parse("data:0,").is_err());
        assert!(parse(":0,1").is_err());
    }
}
