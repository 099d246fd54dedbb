// SPDX-License-Identifier: GPL-2.0

//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::disk::{DiskLog, DiskSpec, ImageSpec, MountOptions};
use crate::initramfs::FileSpec;

/// What is said below the options.
const MORE: &str = "\
The guest runs on the file tree of the environment (scripts/enter), with its own /tmp, /run and /dev; what it writes
there is lost. Files given with --file are in /pinlease, where COMMAND starts and which is in its PATH.

Disks are mounted at /mnt/FS (a second one of the same filesystem at /mnt/FS2); raw ones are not. All have a link
/dev/disk/pinlease/NAME, with the names ext4, xfs, xfs2, raw0, raw1, nvme0 ..., and COMMAND finds them in PINLEASE_DISK_NAME
and PINLEASE_MOUNT_NAME (upper case), for instance PINLEASE_DISK_RAW0=/dev/vdb.

Exit status: that of COMMAND (128+N if signal N killed it), or
  124  the time was over
  125  the guest crashed or could not be started
  126  COMMAND succeeded, but the kernel complained (see --allow-findings)
  127  COMMAND was not found

Examples:
  scripts/vm -- uname -a
  scripts/vm --file pinlease.ko --disk ext4:512M --disk 'xfs:1G:-m reflink=1' -- sh -c 'insmod pinlease.ko; df -h'
  scripts/vm --shell";

/// Boots a virtual machine, runs a command in it and exits with its status.
#[derive(Debug, Parser)]
#[command(name = "scripts/vm", after_help = MORE, max_term_width = 120)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent switches"
)]
pub struct Options {
    /// The kernel: "stock", "debug" (see scripts/setup --help), or the bzImage of another, with its modules beside it or in lib/modules/RELEASE there
    #[arg(long, value_name = "PATH", default_value = "stock")]
    pub kernel: PathBuf,

    /// Make a disk (ext2, ext3, ext4, xfs, btrfs, f2fs, vfat, exfat, raw, or nvme, which is raw, too), such as ext4:512M; may
    /// be repeated
    #[arg(long = "disk", value_name = "FS:SIZE[:MKFS-OPTIONS]")]
    pub disks: Vec<DiskSpec>,

    /// Use a disk image that exists, and write to it; mounted if FS is given; may be repeated
    #[arg(long = "disk-image", value_name = "[FS:]PATH")]
    pub disk_images: Vec<ImageSpec>,

    /// Make the disks as DIR/NAME.img and keep them
    #[arg(long, value_name = "DIR")]
    pub keep_disks: Option<PathBuf>,

    /// Mount options for the disks of a filesystem, or of a name such as xfs2; may be repeated
    #[arg(long = "mount-options", value_name = "FS=OPTIONS")]
    pub mount_options: Vec<MountOptions>,

    /// Log all writes, flushes and discards of a disk, such as raw0, in the format of dm-log-writes; may be repeated
    #[arg(long = "disk-log", value_name = "NAME=FILE")]
    pub disk_logs: Vec<DiskLog>,

    /// Cut the power so many milliseconds after COMMAND began to print: the machine is killed as it is, and it is an error
    /// (125) if COMMAND ended before
    #[arg(long, value_name = "MILLISECONDS", conflicts_with = "shell")]
    pub power_cut: Option<u64>,

    /// Copy a file or directory to the guest, by default into /pinlease; may be repeated
    #[arg(long = "file", value_name = "HOST[:GUEST]")]
    pub files: Vec<FileSpec>,

    /// Set an environment variable for COMMAND; may be repeated
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    pub environment: Vec<(String, String)>,

    /// Load a kernel module first; may be repeated
    #[arg(long = "module", value_name = "NAME")]
    pub modules: Vec<String>,

    /// The guest's memory
    #[arg(long, value_name = "SIZE", default_value = "1G")]
    pub memory: String,

    /// The guest's processors
    #[arg(long, value_name = "NUMBER", default_value_t = 2)]
    pub cpus: u32,

    /// Make guest time count instructions: one processor, no KVM, repeatable measurements
    #[arg(long)]
    pub icount: bool,

    /// Do not use KVM even where it works
    #[arg(long)]
    pub no_kvm: bool,

    /// Add an IOMMU and so many of QEMU's edu (1 if no number is given), a device with DMA, by VFIO or samples/edu
    #[arg(long, value_name = "NUMBER", num_args = 0..=1, require_equals = true, default_missing_value = "1", default_value_t = 0)]
    pub edu: u8,

    /// Without that IOMMU
    #[arg(long, requires = "edu")]
    pub no_iommu: bool,

    /// A further argument of QEMU; may be repeated
    #[arg(long = "qemu-arg", value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub qemu_args: Vec<String>,

    /// A further kernel parameter, such as oops=panic; may be repeated
    #[arg(long = "append", value_name = "PARAMETER")]
    pub append: Vec<String>,

    /// Give up after this time, boot included; 0 is never
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub timeout: u64,

    /// Keep the kernel's console in a file
    #[arg(long, value_name = "FILE")]
    pub console: Option<PathBuf>,

    /// Write a summary to a file, as JSON: the status, the findings, how often and how long it took
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Print what the kernel complained about, but do not fail because of it
    #[arg(long)]
    pub allow_findings: bool,

    /// Run an interactive shell on this terminal instead of COMMAND
    #[arg(long, conflicts_with = "argv")]
    pub shell: bool,

    /// What to run
    #[arg(last = true, value_name = "COMMAND", required_unless_present = "shell")]
    pub argv: Vec<String>,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("say NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Options::command().debug_assert();
    }

    #[test]
    fn a_command_keeps_its_own_options() {
        let options = Options::parse_from([
            "vm",
            "--disk",
            "ext4:1G",
            "--qemu-arg",
            "-s",
            "--",
            "ls",
            "--disk",
            "x y",
        ]);
        assert_eq!(options.argv, ["ls", "--disk", "x y"]);
        assert_eq!(options.disks.len(), 1);
        assert_eq!(options.qemu_args, ["-s"]);
    }

    #[test]
    fn devices_may_be_counted() {
        let count = |arguments: &[&str]| {
            let all = [&["vm"], arguments, &["--", "true"]].concat();
            Options::parse_from(all).edu
        };
        assert_eq!(count(&[]), 0);
        assert_eq!(count(&["--edu"]), 1);
        assert_eq!(count(&["--edu=8", "--no-iommu"]), 8);
    }

    #[test]
    fn something_must_run() {
        assert!(Options::try_parse_from(["vm"]).is_err());
        assert!(Options::try_parse_from(["vm", "--shell"]).is_ok());
        assert!(Options::try_parse_from(["vm", "--shell", "--", "ls"]).is_err());
    }
}
