// SPDX-License-Identifier: GPL-2.0

//! The guest's disks: how they are asked for, made and named.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use anyhow::{bail, ensure, Context, Result};

use crate::plan::Mount;

/// Filesystems that can be made; anything else is left to the command by `raw`.
const FILESYSTEMS: &[&str] = &[
    "ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "vfat", "exfat",
];

/// How the guest reaches a disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Bus {
    /// virtio-blk.
    #[default]
    Virtio,
    /// A controller of its own, of the kind whose driver maps memory for DMA.
    Nvme,
}

/// A disk to be made: `FS:SIZE[:MKFS-OPTIONS]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskSpec {
    bus: Bus,
    filesystem: Option<String>,
    size: u64,
    mkfs_options: Vec<String>,
}

/// A disk that exists: `[FS:]PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSpec {
    filesystem: Option<String>,
    path: PathBuf,
}

/// Mount options of one filesystem: `FS=OPTIONS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountOptions {
    name: String,
    options: String,
}

/// Where the writes of one disk are logged: `NAME=FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskLog {
    name: String,
    path: PathBuf,
}

/// A disk as the machine gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Where its bytes are.
    pub image: PathBuf,
    /// Where its writes are logged, in the format of dm-log-writes.
    pub log: Option<PathBuf>,
    /// How the guest reaches it.
    pub bus: Bus,
    /// What the guest does with it.
    pub mount: Mount,
}

impl FromStr for DiskSpec {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.splitn(3, ':');
        let (bus, filesystem) = match parts.next().unwrap_or_default() {
            "nvme" => (Bus::Nvme, None),
            name => (Bus::Virtio, filesystem(name)?),
        };
        let size = parse_size(parts.next().context("say FS:SIZE, such as ext4:512M")?)?;
        let mkfs_options = shlex::split(parts.next().unwrap_or_default())
            .context("the options of mkfs end inside a quotation")?;
        ensure!(
            filesystem.is_some() || mkfs_options.is_empty(),
            "a raw disk has no mkfs options"
        );
        Ok(Self {
            bus,
            filesystem,
            size,
            mkfs_options,
        })
    }
}

impl FromStr for ImageSpec {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, path) = match text.split_once(':') {
            Some((name, path)) if !name.contains('/') => (name, path),
            _ => ("raw", text),
        };
        ensure!(!path.is_empty(), "say [FS:]PATH");
        Ok(Self {
            filesystem: filesystem(name)?,
            path: path.into(),
        })
    }
}

impl FromStr for MountOptions {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, options) = text
            .split_once('=')
            .context("say FS=OPTIONS, such as ext4=noatime,discard")?;
        Ok(Self {
            name: name.into(),
            options: options.into(),
        })
    }
}

impl FromStr for DiskLog {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once('=') {
            Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok(Self {
                name: name.into(),
                path: path.into(),
            }),
            _ => bail!("say NAME=FILE, such as raw0=writes.log"),
        }
    }
}

fn filesystem(name: &str) -> Result<Option<String>> {
    match name {
        "raw" => Ok(None),
        known if FILESYSTEMS.contains(&known) => Ok(Some(known.into())),
        unknown => bail!(
            "unknown filesystem {unknown:?}: one of {}, raw or nvme",
            FILESYSTEMS.join(", ")
        ),
    }
}

/// Reads `512M` and the like.
fn parse_size(text: &str) -> Result<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        unit => bail!("unknown unit {unit:?} in the size {text:?}: K, M, G or T"),
    };
    let number: u64 = digits
        .parse()
        .with_context(|| format!("the size {text:?} is no number with a unit"))?;
    number
        .checked_mul(1 << shift)
        .filter(|&size| size > 0)
        .with_context(|| format!("the size {text:?} is out of range"))
}

/// Makes the disks, in `directory`, and names all: the filesystem's name, with a number from the second one on; raw and
/// nvme ones are numbered from 0.
///
/// # Errors
///
/// When an image cannot be made, formatted or found, or mount options or a log are for a disk that is not there.
pub fn prepare(
    specs: &[DiskSpec],
    images: &[ImageSpec],
    options: &[MountOptions],
    logs: &[DiskLog],
    directory: &Path,
) -> Result<Vec<Disk>> {
    let mut disks: Vec<Disk> = Vec::new();
    for spec in specs {
        let mount = name(spec.bus, spec.filesystem.clone(), &disks);
        let image = directory.join(format!("{}.img", mount.name));
        spec.make(&image)?;
        disks.push(Disk {
            image,
            log: None,
            bus: spec.bus,
            mount,
        });
    }
    for spec in images {
        let image = spec
            .path
            .canonicalize()
            .with_context(|| format!("{}", spec.path.display()))?;
        disks.push(Disk {
            image,
            log: None,
            bus: Bus::Virtio,
            mount: name(Bus::Virtio, spec.filesystem.clone(), &disks),
        });
    }
    for MountOptions { name, options } in options {
        let mut found = false;
        for disk in &mut disks {
            if disk.mount.name == *name || disk.mount.filesystem.as_ref() == Some(name) {
                disk.mount.options.clone_from(options);
                found = true;
            }
        }
        ensure!(found, "mount options for {name}, but there is no such disk");
    }
    for DiskLog { name, path } in logs {
        let disk = disks.iter_mut().find(|disk| disk.mount.name == *name);
        disk.with_context(|| format!("a log of {name}, but there is no such disk"))?
            .log = Some(path.clone());
    }
    Ok(disks)
}

fn name(bus: Bus, filesystem: Option<String>, before: &[Disk]) -> Mount {
    let same = before
        .iter()
        .filter(|disk| disk.bus == bus && disk.mount.filesystem == filesystem)
        .count();
    let name = match (&filesystem, same) {
        (None, index) if bus == Bus::Nvme => format!("nvme{index}"),
        (None, index) => format!("raw{index}"),
        (Some(filesystem), 0) => filesystem.clone(),
        (Some(filesystem), index) => format!("{filesystem}{}", index + 1),
    };
    Mount {
        name,
        filesystem,
        options: String::new(),
    }
}

impl DiskSpec {
    /// Makes the image: as sparse as its filesystem permits.
    fn make(&self, image: &Path) -> Result<()> {
        let context = || format!("making the disk {}", image.display());
        File::create(image)
            .and_then(|file| file.set_len(self.size))
            .with_context(context)?;
        let Some(filesystem) = &self.filesystem else {
            return Ok(());
        };
        let output = Command::new(format!("mkfs.{filesystem}"))
            .args(quiet(filesystem))
            .args(&self.mkfs_options)
            .arg(image)
            .output()
            .with_context(context)?;
        ensure!(
            output.status.success(),
            "mkfs.{filesystem} failed: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }
}

fn quiet(filesystem: &str) -> &'static [&'static str] {
    match filesystem {
        "ext2" | "ext3" | "ext4" => &["-q", "-F"],
        "xfs" | "btrfs" | "f2fs" => &["-q", "-f"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_a_filesystem_and_a_size() {
        let spec: DiskSpec = "ext4:512M".parse().unwrap();
        assert_eq!(
            spec,
            DiskSpec {
                bus: Bus::Virtio,
                filesystem: Some("ext4".into()),
                size: 512 << 20,
                mkfs_options: vec![]
            }
        );
    }

    #[test]
    fn mkfs_options_are_split_as_by_a_shell() {
        let spec: DiskSpec = "xfs:1g:-m reflink=1 -L 'a b:c'".parse().unwrap();
        assert_eq!(spec.mkfs_options, ["-m", "reflink=1", "-L", "a b:c"]);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "ext4",
            "ext4:",
            "ext4:0",
            "ext4:12Q",
            "zfs:1G",
            "raw:1G:-q",
            "ext4:1G:'",
            "ext4:99999999999T",
        ] {
            assert!(text.parse::<DiskSpec>().is_err(), "{text}");
        }
    }

    #[test]
    fn images_are_raw_unless_said_otherwise() {
        let raw: ImageSpec = "/some/where:odd.img".parse().unwrap();
        assert_eq!(
            (raw.filesystem, raw.path),
            (None, "/some/where:odd.img".into())
        );
        let xfs: ImageSpec = "xfs:./x.img".parse().unwrap();
        assert_eq!(
            (xfs.filesystem.as_deref(), xfs.path),
            (Some("xfs"), "./x.img".into())
        );
    }

    #[test]
    fn names_are_unique() {
        let mut disks = Vec::new();
        let mut push = |bus, filesystem| {
            let mount = name(bus, filesystem, &disks);
            disks.push(Disk {
                image: PathBuf::new(),
                log: None,
                bus,
                mount,
            });
        };
        for filesystem in [
            Some("xfs"),
            None,
            Some("xfs"),
            None,
            Some("ext4"),
            Some("ext4"),
        ] {
            push(Bus::Virtio, filesystem.map(str::to_owned));
        }
        push(Bus::Nvme, None);
        let names: Vec<_> = disks.iter().map(|disk| disk.mount.name.as_str()).collect();
        assert_eq!(
            names,
            ["xfs", "raw0", "xfs2", "raw1", "ext4", "ext42", "nvme0"]
        );
    }

    #[test]
    fn mount_options_need_their_disk() {
        let directory = tempfile::tempdir().unwrap();
        let prepare = |options: &str| {
            prepare(
                &["raw:1M".parse().unwrap()],
                &[],
                &[options.parse().unwrap()],
                &[],
                directory.path(),
            )
        };
        assert!(prepare("ext4=noatime").is_err());
        assert_eq!(prepare("raw0=x").unwrap()[0].mount.options, "x");
    }

    #[test]
    fn a_log_needs_its_disk() {
        let directory = tempfile::tempdir().unwrap();
        let prepare = |log: &str| {
            let logs = [log.parse().unwrap()];
            prepare(
                &["raw:1M".parse().unwrap()],
                &[],
                &[],
                &logs,
                directory.path(),
            )
        };
        assert!(prepare("raw1=/a/log").is_err());
        assert_eq!(
            prepare("raw0=/a/log").unwrap()[0].log,
            Some("/a/log".into())
        );
        assert!("raw0".parse::<DiskLog>().is_err());
    }
}
