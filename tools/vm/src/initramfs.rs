// SPDX-License-Identifier: GPL-2.0

//! The initramfs: what is needed to mount the guest's file tree, the plan, and the user's files.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use anyhow::{ensure, Context, Result};
use cpio::newc::{self, ModeFileType};

use crate::kernel::Kernel;
use crate::plan::{Plan, FILES, GUEST, PLAN};

const INIT: &[u8] = include_bytes!("init.sh");
const BUSYBOX: &str = "/bin/busybox";

/// Modules without which there is no file tree.
const MODULES: &[&str] = &["9pnet_virtio", "9p", "overlay"];

/// A file or directory for the guest: `HOST[:GUEST]`, where the guest's path is relative to the files' directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSpec {
    host: PathBuf,
    guest: PathBuf,
}

impl FromStr for FileSpec {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (host, guest) = text.split_once(':').unwrap_or((text, ""));
        let host = PathBuf::from(host);
        let name = host
            .file_name()
            .with_context(|| format!("{text:?} has no file name"))?;
        // A final slash means a directory.
        let mut path = Path::new(FILES).join(guest);
        if guest.is_empty() || guest.ends_with('/') {
            path.push(name);
        }
        ensure!(
            path.starts_with(FILES),
            "{text:?}: files can only be below {FILES} in the guest"
        );
        Ok(Self { guest: path, host })
    }
}

/// Writes the initramfs.
///
/// # Errors
///
/// When something that goes into it cannot be read.
pub fn write(
    path: &Path,
    kernel: &Kernel,
    guest: &Path,
    plan: &Plan,
    files: &[FileSpec],
) -> Result<()> {
    let mut archive = Archive::new(BufWriter::new(File::create(path)?));
    archive.add("/init", INIT, 0o755)?;
    archive.add(
        "/busybox",
        &fs::read(BUSYBOX).context("busybox-static is missing")?,
        0o755,
    )?;
    let modules = kernel.load_order(MODULES)?;
    let order: Vec<_> = modules.iter().map(|module| module.name.as_str()).collect();
    archive.add("/modules/order", order.join("\n").as_bytes(), 0o644)?;
    for module in &modules {
        archive.add(
            format!("/modules/{}.ko", module.name),
            &module.content,
            0o644,
        )?;
    }
    archive.add(
        GUEST,
        &fs::read(guest).with_context(|| format!("reading {}", guest.display()))?,
        0o755,
    )?;
    archive.add(PLAN, &serde_json::to_vec_pretty(plan)?, 0o644)?;
    for file in files {
        archive
            .add_tree(&file.host, &file.guest)
            .with_context(|| format!("packing {}", file.host.display()))?;
    }
    archive.finish()
}

/// A cpio archive in the making.
struct Archive<W: Write> {
    writer: W,
    directories: BTreeSet<PathBuf>,
    entries: u32,
}

impl<W: Write> Archive<W> {
    fn new(writer: W) -> Self {
        Self {
            writer,
            directories: BTreeSet::new(),
            entries: 0,
        }
    }

    fn add(&mut self, path: impl AsRef<Path>, content: &[u8], mode: u32) -> Result<()> {
        self.add_parents(path.as_ref())?;
        self.entry(path.as_ref(), ModeFileType::Regular, mode, content)
    }

    /// Adds what is at `host`; symbolic links are followed, since they may lead out of what is packed.
    fn add_tree(&mut self, host: &Path, guest: &Path) -> Result<()> {
        let metadata = fs::metadata(host)?;
        if !metadata.is_dir() {
            return self.add(
                guest,
                &fs::read(host)?,
                metadata.permissions().mode() & 0o7777,
            );
        }
        self.add_parents(&guest.join("."))?;
        for entry in fs::read_dir(host)? {
            let entry = entry?;
            self.add_tree(&entry.path(), &guest.join(entry.file_name()))?;
        }
        Ok(())
    }

    fn add_parents(&mut self, path: &Path) -> Result<()> {
        let mut directory = PathBuf::from("/");
        for component in path.parent().unwrap_or(Path::new("/")).components() {
            if let Component::Normal(name) = component {
                directory.push(name);
                if self.directories.insert(directory.clone()) {
                    self.entry(&directory.clone(), ModeFileType::Directory, 0o755, &[])?;
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, kind: ModeFileType, mode: u32, content: &[u8]) -> Result<()> {
        self.entries += 1;
        let name = path
            .to_str()
            .with_context(|| format!("the name {} is not UTF-8", path.display()))?;
        let size = u32::try_from(content.len())
            .with_context(|| format!("{name} is too large, use a disk"))?;
        let mut entry = newc::Builder::new(name.trim_start_matches('/'))
            .ino(self.entries)
            .mode(mode)
            .set_mode_file_type(kind)
            .write(&mut self.writer, size);
        entry.write_all(content)?;
        entry.finish()?;
        Ok(())
    }

    fn finish(self) -> Result<()> {
        newc::trailer(self.writer)?.flush().map_err(io::Error::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest_path(text: &str) -> PathBuf {
        text.parse::<FileSpec>().unwrap().guest
    }

    #[test]
    fn files_go_to_the_files_directory() {
        assert_eq!(guest_path("target/tests"), Path::new("/pinlease/tests"));
        assert_eq!(guest_path("a/b:c"), Path::new("/pinlease/c"));
        assert_eq!(guest_path("a/b:c/"), Path::new("/pinlease/c/b"));
        assert_eq!(guest_path("a/b:/pinlease/d/c"), Path::new("/pinlease/d/c"));
        assert!("a/b:/etc/c".parse::<FileSpec>().is_err());
        assert!("/".parse::<FileSpec>().is_err());
    }

    #[test]
    fn directories_come_before_their_files_and_once() {
        let host = tempfile::tempdir().unwrap();
        fs::create_dir(host.path().join("sub")).unwrap();
        fs::write(host.path().join("sub/file"), "content").unwrap();
        let mut bytes = Vec::new();
        let mut archive = Archive::new(&mut bytes);
        archive
            .add_tree(host.path(), Path::new("/pinlease/tree"))
            .unwrap();
        archive.add("/pinlease/other", b"12345", 0o755).unwrap();
        archive.finish().unwrap();

        let mut names = Vec::new();
        let mut rest: &[u8] = &bytes;
        loop {
            let reader = newc::Reader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                break;
            }
            names.push((
                reader.entry().name().to_owned(),
                reader.entry().mode(),
                reader.entry().file_size(),
            ));
            rest = reader.finish().unwrap();
        }
        let expected = [
            ("pinlease", 0o40755, 0),
            ("pinlease/tree", 0o40755, 0),
            ("pinlease/tree/sub", 0o40755, 0),
            ("pinlease/tree/sub/file", 0o100_644, 7),
            ("pinlease/other", 0o100_755, 5),
        ];
        assert_eq!(
            names,
            expected.map(|(name, mode, size)| (name.to_owned(), mode, size))
        );
    }
}
