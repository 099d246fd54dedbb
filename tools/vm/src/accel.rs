// SPDX-License-Identifier: GPL-2.0

//! Chooses what executes the guest: KVM where it works, not merely where its device exists.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::boot::{boot, Output};
use crate::initramfs;
use crate::kernel::Kernel;
use crate::plan::Plan;
use crate::qemu::{Accelerator, Machine};

/// KVM boots in a second or two.
const PATIENCE: Duration = Duration::from_secs(20);

/// The answer of a probe, and on which machine it was found.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Probe {
    machine: String,
    kvm_works: bool,
}

/// KVM if it really boots the stock kernel, else the translator. The answer is kept in `cache`.
///
/// # Errors
///
/// When the probe cannot be made; that it fails is an answer.
pub fn choose(cache: &Path, directory: &Path, guest: &Path) -> Result<Accelerator> {
    if OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/kvm")
        .is_err()
    {
        return Ok(Accelerator::Tcg);
    }
    let file = cache.join("kvm.json");
    let machine = identity()?;
    let known = fs::read(&file)
        .ok()
        .and_then(|text| serde_json::from_slice::<Probe>(&text).ok());
    let known = known
        .filter(|probe| probe.machine == machine)
        .map(|probe| probe.kvm_works);
    let kvm_works = if let Some(answer) = known {
        answer
    } else {
        let kvm_works = try_kvm(directory, guest)?;
        fs::write(&file, serde_json::to_vec(&Probe { machine, kvm_works })?)?;
        kvm_works
    };
    Ok(if kvm_works {
        Accelerator::Kvm
    } else {
        Accelerator::Tcg
    })
}

fn try_kvm(directory: &Path, guest: &Path) -> Result<bool> {
    eprintln!("vm: trying whether KVM works here, once");
    let kernel = Kernel::stock()?;
    let initramfs = directory.join("probe.cpio");
    let plan = Plan {
        argv: vec!["true".into()],
        ..Plan::default()
    };
    initramfs::write(&initramfs, &kernel, guest, &plan, &[])?;
    let machine = Machine {
        image: kernel.image.clone(),
        kernel: &kernel,
        initramfs,
        disks: &[],
        iommu: false,
        edus: 0,
        accelerator: Accelerator::Kvm,
        memory: "1G",
        cpus: 2,
        append: &[],
        arguments: &[],
        terminal: false,
        power_cut: None,
    };
    let outcome = boot(
        &machine,
        directory,
        Some(Instant::now() + PATIENCE),
        &mut Silence,
    )?;
    Ok(outcome.status == Some(0) && outcome.done)
}

struct Silence;

impl Output for Silence {
    fn stdout(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn stderr(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

/// What must be the same for an old answer to count: the host's name, kernel and processor.
fn identity() -> Result<String> {
    let host = fs::read_to_string("/proc/sys/kernel/hostname")?;
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let processors = fs::read_to_string("/proc/cpuinfo")?;
    let model = processors
        .lines()
        .find(|line| line.starts_with("model name"))
        .unwrap_or_default();
    Ok(format!("{} {} {model}", host.trim(), release.trim()))
}
