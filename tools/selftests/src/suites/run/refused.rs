// SPDX-License-Identifier: GPL-2.0
//! Why there is no lease: status 125, one line that says what to do, and no
//! program.
//!
//! Not here: EBUSY, when a livepatch or a BPF program holds a hooked function.

use std::{
    fs::{self, File},
    os::unix::{
        fs::{chown, PermissionsExt},
        process::CommandExt,
    },
    path::Path,
    process::Command,
};

use anyhow::{ensure, Context as _, Result};
use pinlease::{Device, Policy, State};

use super::{
    become_program,
    common::{setup, text, Breaker, Opened, LONG, PAGE, PAGES},
};
use crate::{
    harness::{Context, TestResult},
    support::{
        modules::{unload_all, Parameterised},
        proc::wait_for,
        process::NOBODY,
        Fill, Mapped,
    },
};

fn command(context: &Context, leases: &[&str], options: &[&str]) -> Result<Command> {
    let mut arguments: Vec<&str> = leases.iter().flat_map(|lease| ["--lease", lease]).collect();
    arguments.extend_from_slice(options);
    become_program(context, &arguments, &["echo", "started"])
}

/// The command must fail so, with this complaint.
fn refused(mut command: Command, complaint: &str) -> TestResult {
    let output = command.output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(125)
            && stderr.starts_with("pinlease: ")
            && stderr.lines().count() == 1
            && stderr.contains(complaint),
        "{command:?}: {}, not 125 with '{complaint}': {stderr}",
        output.status
    );
    ensure!(output.stdout.is_empty(), "{command:?} started the program");
    Ok(())
}

/// What is no file to lease.
pub fn files(context: &Context) -> TestResult {
    let (_device, mapped) = setup(context, "run-files")?;
    let empty = context.path("run-empty");
    File::create(&empty)?;
    let expected = format!("'truncate -s 1G {}'", text(&empty)?);
    for (path, complaint) in [
        ("/no/such/file", "/no/such/file: No such file"),
        (text(&context.dir)?, "Is a directory"),
        ("/dev/null", "not a regular file"),
        (text(&empty)?, &expected),
    ] {
        refused(command(context, &[path], &[])?, complaint)?;
        // The second of two, too.
        let both = [text(mapped.path())?, path];
        refused(command(context, &both, &[])?, complaint)?;
    }
    fs::remove_file(empty)?;
    Ok(())
}

/// What is no range of the file.
pub fn ranges(context: &Context) -> TestResult {
    let (_device, mapped) = setup(context, "run-ranges")?;
    let path = text(mapped.path())?;
    let beyond =
        format!("which has 16K bytes; extend it first, such as by 'truncate -s 1M {path}'");
    for (range, complaint) in [
        ("0,1M", beyond.as_str()),
        (
            "5,4K",
            "does not begin on a page; its offset must be a multiple of 4K",
        ),
        ("16K,0", "the file ends after 16K bytes"),
        ("1G,0", "the file ends after 16K bytes"),
        ("4K,9223372036854775807", "no file is that long"),
    ] {
        let range = format!("{path}:{range}");
        refused(command(context, &[&range], &[])?, complaint)?;
    }
    Ok(())
}

/// Filesystems that cannot: those of the guest itself.
pub fn filesystems(context: &Context) -> TestResult {
    drop(setup(context, "run-filesystems")?);
    for (path, complaint) in [
        ("/dev/shm/run-file", "no lease can be kept on "),
        ("/root/run-file", "the file below by its own path"),
    ] {
        let file = File::create(path).with_context(|| path.to_owned())?;
        file.set_len(PAGE)?;
        refused(command(context, &[path], &[])?, complaint)?;
        fs::remove_file(path)?;
    }
    Ok(())
}

/// A file that every user can write, and this one owns.
fn shared(context: &Context, name: &str, owner: u32) -> Result<Mapped> {
    let mapped = Mapped::create(&context.path(name), PAGES, Fill::Faulted)?;
    fs::set_permissions(mapped.path(), fs::Permissions::from_mode(0o666))?;
    chown(mapped.path(), Some(owner), Some(owner))?;
    Ok(mapped)
}

/// Who may not: the node, the file, its owner, the time.
pub fn rights(context: &Context) -> TestResult {
    drop(setup(context, "run-rights")?);
    let roots = shared(context, "run-roots", 0)?;
    let own = shared(context, "run-own", NOBODY)?;
    let as_nobody = |path: &Path, options: &[&str]| -> Result<Command> {
        let mut command = command(context, &[text(path)?], options)?;
        command.uid(NOBODY).gid(NOBODY);
        Ok(command)
    };
    refused(
        as_nobody(own.path(), &[])?,
        "ask the administrator for access to the device node",
    )?;
    let _opened = Opened::for_all()?;
    refused(
        as_nobody(roots.path(), &[])?,
        "the file belongs to root; run as its owner",
    )?;
    refused(as_nobody(own.path(), &["--grace", "1h"])?, "grace_max_ms")?;
    fs::set_permissions(roots.path(), fs::Permissions::from_mode(0o644))?;
    refused(as_nobody(roots.path(), &[])?, "Permission denied")?;
    let output = as_nobody(own.path(), &[])?.output()?;
    ensure!(
        output.status.success() && output.stdout == b"started\n",
        "{output:?}"
    );
    Ok(())
}

/// Somebody is just breaking a lease there.
pub fn under_way(context: &Context) -> TestResult {
    let (device, mapped) = setup(context, "run-under-way")?;
    let lease = device
        .lease(&mapped)
        .policy(Policy::Block)
        .grace(LONG)
        .acquire()?;
    let breaker = Breaker::truncate(mapped.path())?;
    let breaking = || Ok(lease.query()?.state == State::Breaking);
    wait_for("the lease is breaking", LONG, breaking)?;
    let path = text(mapped.path())?;
    refused(command(context, &[path], &[])?, "is waiting or under way")?;
    drop(lease);
    breaker.join()
}

/// The administrator allows no more.
pub fn quota(context: &Context) -> TestResult {
    drop(setup(context, "run-quota")?);
    let modules = Parameterised::load(&context.modules, c"leases_per_user=1")?;
    let mapped = Mapped::create(&context.path("run-quota"), PAGES, Fill::Faulted)?;
    let path = text(mapped.path())?;
    let output = command(context, &[path], &[])?.output()?;
    ensure!(output.status.success(), "one lease: {output:?}");
    let device = Device::open()?;
    let gone = || Ok(device.leases().next().is_none());
    wait_for("the lease is gone", LONG, gone)?;
    refused(
        command(context, &[path, path], &[])?,
        "as the administrator allows",
    )?;
    wait_for("the lease is gone", LONG, gone)?;
    drop(device);
    drop(modules);
    Ok(())
}

/// Without the module.
pub fn unloaded(context: &Context) -> TestResult {
    drop(setup(context, "run-unloaded")?);
    unload_all()?;
    let file = context.path("run-unloaded");
    File::create(&file)?.set_len(PAGE)?;
    refused(
        command(context, &[text(&file)?], &[])?,
        "the module is not loaded",
    )?;
    fs::remove_file(file)?;
    Ok(())
}
