// SPDX-License-Identifier: GPL-2.0

//! The host's program; run it by `scripts/vm`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use clap::Parser;
use pinlease_vm::boot::{boot, Outcome, Standard, INTERRUPTED};
use pinlease_vm::cli::Options;
use pinlease_vm::console::{self, Finding};
use pinlease_vm::disk::{self, Bus, Disk};
use pinlease_vm::kernel::Kernel;
use pinlease_vm::plan::Plan;
use pinlease_vm::qemu::{Accelerator, Machine};
use pinlease_vm::report::{self, Summary};
use pinlease_vm::{accel, bzimage, initramfs};

/// How often a boot is tried again that died of the emulator.
const RETRIES: u32 = 3;

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(status) => status.into(),
        Err(error) => {
            eprintln!("vm: {error:#}");
            report::CRASHED.into()
        }
    }
}

fn run(options: &Options) -> Result<u8> {
    let start = Instant::now();
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed))?;
    let deadline = (options.timeout > 0).then(|| start + Duration::from_secs(options.timeout));
    let cache = cache()?;
    let directory = tempfile::Builder::new().prefix("run.").tempdir_in(&cache)?;
    let guest = env::current_exe()?.with_file_name("pinlease-vm-guest");
    let kernel = Kernel::called(&options.kernel)?;
    let disks = disks(options, directory.path())?;
    let accelerator = match options {
        Options { icount: true, .. } => Accelerator::Icount,
        Options { no_kvm: true, .. } => Accelerator::Tcg,
        _ => accel::choose(&cache, directory.path(), &guest)?,
    };
    let initramfs = directory.path().join("initramfs.cpio");
    initramfs::write(
        &initramfs,
        &kernel,
        &guest,
        &plan(options, &kernel, &disks),
        &options.files,
    )?;
    let machine = Machine {
        image: bzimage::quick_to_boot(&kernel.image, &cache)?,
        kernel: &kernel,
        initramfs,
        disks: &disks,
        iommu: options.edu > 0 && !options.no_iommu,
        edus: options.edu,
        accelerator,
        memory: &options.memory,
        cpus: options.cpus,
        append: &options.append,
        arguments: &options.qemu_args,
        terminal: options.shell,
        power_cut: options.power_cut.map(Duration::from_millis),
    };
    let (outcome, retries) = boot_until_it_holds(&machine, directory.path(), deadline)?;
    if let Some(path) = &options.console {
        fs::write(path, &outcome.console).with_context(|| format!("writing {}", path.display()))?;
    }

    let findings = console::findings(&outcome.console);
    let complaints = !findings.is_empty() && !options.allow_findings;
    let status = if options.power_cut.is_some() {
        let Outcome {
            status,
            power_cut,
            timed_out,
            ..
        } = outcome;
        report::status_of_cut(status, power_cut, timed_out, complaints)
    } else {
        report::status(outcome.status, outcome.done, outcome.timed_out, complaints)
    };
    explain(&outcome, &findings, options.timeout);
    if let Some(path) = &options.json {
        let summary = Summary {
            status,
            command_status: outcome.status,
            timed_out: outcome.timed_out,
            boots: retries + 1,
            retries,
            console_findings: findings,
            seconds: start.elapsed().as_secs_f64(),
            boot_seconds: outcome.boot.map(|boot| boot.as_secs_f64()),
            accelerator: accelerator.name(),
            kernel: kernel.release.clone(),
        };
        fs::write(path, serde_json::to_vec_pretty(&summary)?)
            .with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(status)
}

/// On a real disk, since images can be large.
fn cache() -> Result<PathBuf> {
    let cache = env::var_os("PINLEASE_CACHE")
        .map_or_else(env::temp_dir, PathBuf::from)
        .join("vm");
    fs::create_dir_all(&cache).with_context(|| format!("making {}", cache.display()))?;
    Ok(cache)
}

fn disks(options: &Options, scratch: &Path) -> Result<Vec<Disk>> {
    let directory = options.keep_disks.as_deref().unwrap_or(scratch);
    fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    disk::prepare(
        &options.disks,
        &options.disk_images,
        &options.mount_options,
        &options.disk_logs,
        directory,
    )
}

fn plan(options: &Options, kernel: &Kernel, disks: &[Disk]) -> Plan {
    let mut modules = options.modules.clone();
    if !disks.is_empty() {
        modules.insert(0, "virtio_blk".into());
    }
    if disks.iter().any(|disk| disk.bus == Bus::Nvme) {
        modules.insert(0, "nvme".into());
    }
    Plan {
        argv: if options.shell {
            vec!["bash".into()]
        } else {
            options.argv.clone()
        },
        terminal: options
            .shell
            .then(|| env::var("TERM").unwrap_or_else(|_| "vt220".into())),
        environment: options.environment.clone(),
        modules,
        module_share: kernel.needs_module_share(),
        disks: disks.iter().map(|disk| disk.mount.clone()).collect(),
    }
}

/// Boots; again if the emulator broke the kernel before the command started. That is counted and said, never hidden.
fn boot_until_it_holds(
    machine: &Machine<'_>,
    directory: &Path,
    deadline: Option<Instant>,
) -> Result<(Outcome, u32)> {
    let mut retries = 0;
    loop {
        let outcome = boot(machine, directory, deadline, &mut Standard)?;
        let again = outcome.boot.is_none()
            && !outcome.timed_out
            && console::is_emulator_fault(&outcome.console);
        if !again || retries == RETRIES {
            ensure!(
                outcome.boot.is_some() || outcome.qemu.is_empty(),
                "QEMU: {}",
                outcome.qemu.trim()
            );
            return Ok((outcome, retries));
        }
        retries += 1;
        eprintln!("vm: the boot died of an emulator fault (Oops: int3 before the command); retry {retries} of {RETRIES}");
    }
}

fn explain(outcome: &Outcome, findings: &[Finding], timeout: u64) {
    if outcome.timed_out {
        let where_ = if outcome.boot.is_some() {
            "the command ran"
        } else {
            "the guest booted"
        };
        eprintln!("vm: the {timeout} s were over while {where_}");
    } else if outcome.boot.is_none() {
        eprintln!("vm: the guest did not come up; the end of its console:");
        let lines: Vec<_> = outcome.console.lines().collect();
        for line in &lines[lines.len().saturating_sub(20)..] {
            eprintln!("  {line}");
        }
    } else if outcome.power_cut {
        // As it was to be.
    } else if outcome.status.is_none() {
        eprintln!("vm: the guest died before the command ended");
    } else if !outcome.done {
        eprintln!("vm: the guest died after the command, while it unmounted its disks");
    }
    if !findings.is_empty() {
        eprintln!("console: {} findings", findings.len());
        for finding in findings {
            eprintln!("  {}: {}", finding.line, finding.text);
        }
    }
}
