// SPDX-License-Identifier: GPL-2.0

//! QEMU's command line.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::disk::{Bus, Disk};
use crate::kernel::Kernel;
use crate::plan::{MODULES_TAG, ROOT_TAG};
use crate::wire;

/// What executes the guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accelerator {
    /// The processor itself.
    Kvm,
    /// QEMU's translator, one thread per guest processor.
    Tcg,
    /// QEMU's translator, counting instructions.
    Icount,
}

impl Accelerator {
    /// For people and for the summary.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
            Self::Icount => "icount",
        }
    }

    /// QEMU's arguments for it.
    #[must_use]
    pub fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Kvm => &["-accel", "kvm", "-cpu", "host"],
            Self::Tcg => &["-accel", "tcg,thread=multi,tb-size=512", "-cpu", TCG_CPU],
            Self::Icount => &[
                "-accel",
                "tcg,thread=single,tb-size=512",
                "-cpu",
                TCG_CPU,
                "-icount",
                "shift=0,sleep=off",
            ],
        }
    }
}

/// All that the translator can do, less what only makes it slow: five page table levels.
const TCG_CPU: &str = "max,la57=off";

/// With addresses of 40 bits: all of memory can be reached without an IOMMU, too.
const EDU: &str = "edu,dma_mask=0xffffffffff";

/// QEMU with nothing in it and nothing to see, which does not outlive us, however we end.
#[must_use]
pub fn bare() -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
    command.args([
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-monitor",
        "none",
    ]);
    command
}

/// A machine that is not running yet.
#[derive(Debug)]
pub struct Machine<'a> {
    /// The file that it boots.
    pub image: PathBuf,
    /// The kernel in that file.
    pub kernel: &'a Kernel,
    /// The initramfs.
    pub initramfs: PathBuf,
    /// Its disks.
    pub disks: &'a [Disk],
    /// Whether there is an IOMMU.
    pub iommu: bool,
    /// How many devices with DMA for programs there are, behind it.
    pub edus: u8,
    /// What executes it.
    pub accelerator: Accelerator,
    /// Its memory, as QEMU reads it.
    pub memory: &'a str,
    /// Its processors.
    pub cpus: u32,
    /// Further kernel parameters.
    pub append: &'a [String],
    /// Further arguments.
    pub arguments: &'a [String],
    /// Whether the guest gets our terminal.
    pub terminal: bool,
    /// How long after the command's first output the power is cut.
    pub power_cut: Option<Duration>,
}

impl Machine<'_> {
    /// The command that runs the machine: its console goes to the file `console`, its frames to the listening socket
    /// `wire`.
    #[must_use]
    pub fn command(&self, console: &Path, wire: &Path) -> Command {
        let mut command = bare();
        command.arg("-no-reboot");
        command.args(["-machine", "q35,vmport=off,i8042=off,hpet=off"]);
        command.args(self.accelerator.arguments());
        let cpus = if self.accelerator == Accelerator::Icount {
            1
        } else {
            self.cpus
        };
        command.args(["-m", self.memory, "-smp", &cpus.to_string()]);
        command
            .arg("-kernel")
            .arg(&self.image)
            .arg("-initrd")
            .arg(&self.initramfs);
        command.args(["-append", &self.parameters()]);
        command
            .arg("-chardev")
            .arg(format!("file,id=console,path={}", escaped(console)));
        command.args(["-serial", "chardev:console"]);
        command.args(["-device", "virtio-serial-pci"]);
        command
            .arg("-chardev")
            .arg(format!("socket,id=wire,path={}", escaped(wire)));
        command.args([
            "-device",
            &format!("virtserialport,chardev=wire,name={}", wire::PORT),
        ]);
        if self.terminal {
            command.args([
                "-chardev",
                "stdio,id=terminal,signal=off",
                "-device",
                "virtconsole,chardev=terminal",
            ]);
        }
        share(&mut command, ROOT_TAG, Path::new("/"));
        if let (true, Some(modules)) = (self.kernel.needs_module_share(), &self.kernel.modules) {
            share(&mut command, MODULES_TAG, modules);
        }
        for (index, disk) in self.disks.iter().enumerate() {
            backend(&mut command, index, disk);
            let model = match disk.bus {
                Bus::Virtio => "virtio-blk-pci",
                Bus::Nvme => "nvme",
            };
            command.args([
                "-device",
                &format!("{model},drive=disk{index},serial={}", disk.mount.name),
            ]);
        }
        if self.iommu {
            command.args(["-device", "intel-iommu"]);
        }
        for _ in 0..self.edus {
            command.args(["-device", EDU]);
        }
        command.args(self.arguments);
        command
    }

    fn parameters(&self) -> String {
        // Warnings and what is worse, until the guest program asks for all.
        let mut parameters =
            String::from("console=ttyS0 loglevel=5 panic=-1 no_timer_check tsc=reliable");
        for parameter in self.append {
            parameters.push(' ');
            parameters.push_str(parameter);
        }
        parameters
    }
}

/// Where a disk's bytes are. The image is judged after QEMU has ended, not after the host has: no need to flush it to a
/// real disk.
fn backend(command: &mut Command, index: usize, disk: &Disk) {
    let image = escaped(&disk.image);
    let Some(log) = &disk.log else {
        command.arg("-drive").arg(format!(
            "if=none,id=disk{index},file={image},format=raw,cache=unsafe,discard=unmap"
        ));
        return;
    };
    let log = escaped(log);
    for node in [
        format!("driver=file,node-name=image{index},filename={image},cache.no-flush=on,discard=unmap"),
        format!("driver=file,node-name=log{index},filename={log},cache.no-flush=on"),
        // This one must see the flushes.
        format!("driver=blklogwrites,node-name=disk{index},file=image{index},log=log{index},discard=unmap"),
    ] {
        command.args(["-blockdev", &node]);
    }
}

fn share(command: &mut Command, tag: &str, path: &Path) {
    command.arg("-virtfs").arg(format!(
        "local,path={},mount_tag={tag},security_model=none,readonly=on,multidevs=remap",
        escaped(path)
    ));
}

/// A path in QEMU's option lists, where a comma is written twice.
#[must_use]
pub fn escaped(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_paths_do_not_end_them() {
        assert_eq!(escaped(Path::new("/a,b/c")), "/a,,b/c");
    }
}
