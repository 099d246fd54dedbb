// SPDX-License-Identifier: GPL-2.0
//! What the program finds: what it would find without the command, and leases.

use std::{collections::BTreeSet, fs, io, os::unix::process::CommandExt, process::Command};

use anyhow::{ensure, Context as _, Result};
use nix::sys::{
    resource::{setrlimit, Resource},
    signal::{sigprocmask, SigHandler, SigSet, SigmaskHow, Signal},
};

use super::{
    become_program,
    common::{setup, text},
};
use crate::{
    harness::{Context, TestResult},
    support::{proc::wait_for, Mapped, Program},
};

/// How long the program may take to be there.
const SOON: std::time::Duration = std::time::Duration::from_secs(20);

/// Starts it, and waits until it is cat(1).
fn start(mut command: Command) -> Result<Program> {
    let mut program = Program::start(&mut command)?;
    let pid = program.pid();
    // It says so itself: the command does not.
    program.say("ready")?;
    let line = program.line()?;
    ensure!(line == "ready", "{line}");
    let comm = fs::read_to_string(format!("/proc/{pid}/comm"))?;
    ensure!(comm == "cat\n", "{comm}");
    Ok(program)
}

fn end(mut program: Program) -> TestResult {
    program.end_input();
    let (status, errors) = program.end()?;
    ensure!(status.success(), "{status}: {errors}");
    Ok(())
}

/// The numbers of its open files: those of leases, and others.
fn files(program: &Program) -> Result<(BTreeSet<u32>, BTreeSet<u32>)> {
    let folder = format!("/proc/{}/fd", program.pid());
    let (mut leases, mut others) = (BTreeSet::new(), BTreeSet::new());
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let number = text(entry.file_name().as_ref())?.parse()?;
        let target = fs::read_link(entry.path())?;
        if target.to_string_lossy().contains("[pinlease]") {
            leases.insert(number);
        } else {
            others.insert(number);
        }
    }
    Ok((leases, others))
}

/// No file, no device: only leases, with numbers that are in nobody's way, and
/// what it would have had without the command.
pub fn descriptors(context: &Context) -> TestResult {
    let (device, mapped) = setup(context, "run-descriptors")?;
    let plain = start(Command::new("cat"))?;
    let (_, usual) = files(&plain)?;
    end(plain)?;

    let range = format!("{}:4K,4K", text(mapped.path())?);
    let options = ["--lease", text(mapped.path())?, "--lease", &range];
    let many = become_program(context, &options, &["cat"])?;
    let mut few = become_program(context, &options, &["cat"])?;
    let limit = || Ok(setrlimit(Resource::RLIMIT_NOFILE, 64, 64)?);
    // SAFETY: setrlimit(2) may be called between fork and exec.
    unsafe { few.pre_exec(limit) };
    for (command, lowest) in [(many, 512), (few, 32)] {
        let program = start(command)?;
        let (leases, others) = files(&program)?;
        ensure!(
            leases.len() == 2 && leases.iter().all(|&number| number >= lowest),
            "not two leases from {lowest} on: {leases:?}"
        );
        ensure!(others == usual, "{others:?}, not {usual:?}");
        let held = device.leases().count();
        ensure!(held == 2, "{held} leases");
        end(program)?;
        let gone = || Ok(device.leases().next().is_none());
        wait_for("the leases are gone", SOON, gone)?;
    }
    Ok(())
}

/// A line of /proc/PID/status with a set of signals.
fn set(program: &Program, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", program.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let digits = line.with_context(|| format!("no {name}"))?.trim();
    Ok(u64::from_str_radix(digits, 16)?)
}

fn bit(signal: Signal) -> u64 {
    1 << (signal as i32 - 1)
}

/// Ignores some signals and blocks others.
fn prepare(ignored: &[Signal], blocked: &[Signal]) -> io::Result<()> {
    for &signal in ignored {
        // SAFETY: ignoring a signal runs no handler.
        unsafe { nix::sys::signal::signal(signal, SigHandler::SigIgn) }?;
    }
    let blocked = blocked.iter().copied().collect::<SigSet>();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&blocked), None)?;
    Ok(())
}

/// What the caller ignores and blocks, be it nothing.
pub fn signals(context: &Context) -> TestResult {
    let (_device, mapped) = setup(context, "run-signals")?;
    let start = |ignored: &'static [Signal], blocked: &'static [Signal], mapped: &Mapped| {
        let options = ["--lease", text(mapped.path())?];
        let mut command = become_program(context, &options, &["cat"])?;
        // SAFETY: both system calls may be made between fork and exec.
        unsafe { command.pre_exec(move || prepare(ignored, blocked)) };
        start(command)
    };
    for (ignored, blocked) in [
        (&[][..], &[][..]),
        (&[Signal::SIGPIPE], &[Signal::SIGIO]),
        (&[Signal::SIGIO], &[Signal::SIGPIPE, Signal::SIGTERM]),
    ] {
        let program = start(ignored, blocked, &mapped)?;
        let sum = |signals: &[Signal]| signals.iter().map(|&signal| bit(signal)).sum::<u64>();
        for (name, expected) in [("SigIgn:", sum(ignored)), ("SigBlk:", sum(blocked))] {
            let found = set(&program, name)?;
            ensure!(found == expected, "{name} {found:#x}, not {expected:#x}");
        }
        end(program)?;
    }
    Ok(())
}
