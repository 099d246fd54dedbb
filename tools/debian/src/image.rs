// SPDX-License-Identifier: GPL-2.0
//! The disk: a Debian trixie with the kernel of trixie-backports and what pinlease-dkms depends on,
//! made once for a list of packages and kept in the cache.

use std::{
    collections::hash_map::DefaultHasher,
    fs,
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{bail, ensure, Context, Result};

/// What a system has that somebody uses, and what builds the module.
const PACKAGES: &str = "systemd-sysv,udev,kmod,dbus,e2fsprogs,fio,man-db,bash-completion,\
    dkms,rustc,rust-src,bindgen,xz-utils,make,gcc-14,\
    linux-image-amd64/trixie-backports,linux-headers-amd64/trixie-backports,\
    linux-source/trixie-backports";

const SIZE: &str = "8G";

/// Files of the image that no package brings.
const FILES: [(&str, &str); 4] = [
    ("etc/hostname", "pinlease\n"),
    (
        "etc/fstab",
        "/dev/vda / ext4 defaults 0 1\n\
         share /share 9p trans=virtio,version=9p2000.L,msize=262144 0 0\n",
    ),
    ("etc/apt/apt.conf.d/90offline", "Acquire::Retries \"0\";\n"),
    (
        "etc/systemd/system/check.service",
        "[Unit]\nRequiresMountsFor=/share\nAfter=multi-user.target\n\
         [Service]\nType=exec\nExecStart=/share/check-debian-guest /share\n\
         StandardOutput=journal+console\nStandardError=journal+console\n\
         [Install]\nWantedBy=graphical.target\n",
    ),
];

/// What boots.
#[derive(Debug)]
pub struct Image {
    /// The root filesystem, ext4 without partitions.
    pub disk: PathBuf,
    /// The kernel.
    pub kernel: PathBuf,
    /// Its initramfs, as Debian makes it.
    pub initramfs: PathBuf,
}

impl Image {
    /// From the cache, or made and put there; it takes some minutes.
    ///
    /// # Errors
    ///
    /// The mirror cannot be reached, or the disk is full.
    pub fn get(cache: &Path) -> Result<Self> {
        let mut hasher = DefaultHasher::new();
        (PACKAGES, SIZE, FILES).hash(&mut hasher);
        let folder = cache.join(format!("debian-{:016x}", hasher.finish()));
        if !folder.exists() {
            eprintln!("check-debian: making the disk, which takes some minutes ...");
            let fresh = folder.with_extension("tmp");
            let _ = fs::remove_dir_all(&fresh);
            fs::create_dir_all(&fresh)?;
            make(&fresh)?;
            fs::rename(&fresh, &folder)?;
        }
        Ok(Self {
            disk: folder.join("disk"),
            kernel: folder.join("vmlinuz"),
            initramfs: folder.join("initrd.img"),
        })
    }
}

/// Debian, our files, the disk.
fn make(folder: &Path) -> Result<()> {
    let root = folder.join("root");
    debian(&root)?;
    for (path, text) in FILES {
        fs::write(root.join(path), text).context(path)?;
    }
    fs::create_dir(root.join("share"))?;
    run(Command::new("chroot").arg(&root).args([
        "systemctl",
        "--quiet",
        "enable",
        "check.service",
    ]))?;
    for name in ["vmlinuz", "initrd.img"] {
        fs::copy(boot_file(&root, name)?, folder.join(name))?;
    }
    run(Command::new("mke2fs")
        .args(["-q", "-t", "ext4", "-d"])
        .args([&root, &folder.join("disk")])
        .arg(SIZE))?;
    Ok(fs::remove_dir_all(root)?)
}

/// A minimal Debian with [`PACKAGES`], from the mirror of the environment.
fn debian(root: &Path) -> Result<()> {
    let sources = fs::read_to_string("/etc/apt/sources.list").context("run it by scripts/enter")?;
    let mirror = sources
        .lines()
        .find_map(|line| line.strip_prefix("deb ")?.strip_suffix(" trixie main"))
        .context("no mirror in /etc/apt/sources.list")?;
    // The descriptors that scripts/enter keeps locks by are in the way of mmdebstrap's own.
    let mut command = Command::new("sh");
    command.args(["-c", "exec mmdebstrap \"$@\" 7>&- 8>&- 9>&-", "mmdebstrap"]);
    command.args(["--quiet", "--variant=minbase", "--dpkgopt=force-unsafe-io"]);
    command.arg("--aptopt=APT::Install-Recommends \"false\"");
    command.arg(format!("--include={PACKAGES}"));
    command.arg("trixie").arg(root);
    for suite in ["trixie", "trixie-updates", "trixie-backports"] {
        command.arg(format!("deb {mirror} {suite} main"));
    }
    run(&mut command)
}

/// `boot/NAME-RELEASE`: there is one kernel.
fn boot_file(root: &Path, name: &str) -> Result<PathBuf> {
    for entry in fs::read_dir(root.join("boot"))? {
        let path = entry?.path();
        let found = path
            .file_name()
            .is_some_and(|file| file.to_string_lossy().starts_with(&format!("{name}-")));
        if found {
            return Ok(path);
        }
    }
    bail!("no {name} in /boot of the new system")
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
