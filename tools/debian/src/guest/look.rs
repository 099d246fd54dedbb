// SPDX-License-Identifier: GPL-2.0
//! What an administrator finds after the boot.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use anyhow::{ensure, Context, Result};

use super::program::{run, try_run};

/// One check; what it gives was seen.
type Check = fn() -> Result<String>;

/// In this order.
pub const CHECKS: [(&str, Check); 8] = [
    ("built by DKMS", dkms),
    ("loaded at boot", loaded),
    ("permissions", permissions),
    ("doctor", doctor),
    ("other users", other_users),
    ("fio into a leased file", fio),
    ("man page", man_page),
    ("completion", completion),
];

fn dkms() -> Result<String> {
    let status = run("dkms", &["status", "-m", "pinlease"])?;
    ensure!(status.contains(": installed"), "{status}");
    let path = run("modinfo", &["-n", "pinlease"])?;
    ensure!(path.contains("/updates/dkms/pinlease.ko"), "{path}");
    Ok(status)
}

fn loaded() -> Result<String> {
    let version = fs::read_to_string("/sys/module/pinlease/version").context("the module")?;
    Ok(format!("version {}", version.trim()))
}

fn permissions() -> Result<String> {
    let device = fs::metadata("/dev/pinlease")?;
    let groups = fs::read_to_string("/etc/group")?;
    let line = groups
        .lines()
        .find_map(|line| line.strip_prefix("pinlease:x:"));
    let gid: u32 = line
        .and_then(|rest| rest.split(':').next())
        .context("no group pinlease")?
        .parse()?;
    let mode = device.permissions().mode() & 0o7777;
    ensure!(
        (device.uid(), device.gid(), mode) == (0, gid, 0o660),
        "user {}, group {}, mode {mode:o}",
        device.uid(),
        device.gid()
    );
    Ok("root, pinlease, 660".into())
}

fn doctor() -> Result<String> {
    let said = run("pinlease", &["doctor", "--try", "/srv"])?;
    ensure!(said.contains("ok       trial"), "{said}");
    Ok(said)
}

/// Members of the group may, others may not.
fn other_users() -> Result<String> {
    const NOBODY: [&str; 3] = ["--reuid=nobody", "--regid=nogroup", "--clear-groups"];
    const MEMBER: [&str; 3] = ["--reuid=nobody", "--regid=nogroup", "--groups=pinlease"];
    let refused = try_run("setpriv", &[&NOBODY[..], &["pinlease", "doctor"]].concat())?;
    ensure!(
        !refused.0 && refused.1.contains("this user may not open /dev/pinlease"),
        "{}",
        refused.1
    );
    run(
        "setpriv",
        &[&MEMBER[..], &["pinlease", "doctor", "--try", "/var/tmp"]].concat(),
    )?;
    Ok("only members of the group".into())
}

const BYTES: usize = 1 << 20;

/// fio registers memory of the file with io_uring and reads into it; after an fsync it is on the
/// disk. Without the lease it is refused.
fn fio() -> Result<String> {
    let (source, target) = (Path::new("/srv/source"), Path::new("/srv/target"));
    fs::write(source, vec![0xA5; BYTES])?;
    // fio maps some pages more than its buffers.
    fs::write(target, vec![0; 2 * BYTES])?;
    run("sync", &[target])?;
    let fio = [
        "fio",
        "--name=load",
        "--filename=/srv/source",
        "--readonly",
        "--rw=read",
        "--bs=1M",
        "--direct=1",
        "--ioengine=io_uring",
        "--fixedbufs",
        "--mem=mmapshared:/srv/target",
        "--thread",
    ];
    let without = try_run(fio[0], &fio[1..])?;
    ensure!(
        without.1.contains("Bad address"),
        "without a lease: {}",
        without.1
    );
    run(
        "pinlease",
        &[&["run", "--lease", "/srv/target", "--"], &fio[..]].concat(),
    )?;
    run("sync", &[target])?;
    // From the disk, not from the cache.
    run(
        "dd",
        &[
            "if=/srv/target",
            "of=/srv/read",
            "bs=1M",
            "iflag=direct",
            "status=none",
        ],
    )?;
    let found = fs::read("/srv/read")?;
    let read = found.iter().filter(|&&byte| byte == 0xA5).count();
    ensure!(read == BYTES, "{read} of {BYTES} bytes are on the disk");
    ["/srv/source", "/srv/target", "/srv/read"]
        .into_iter()
        .try_for_each(fs::remove_file)?;
    Ok("refused without a lease; with it, registered and on the disk".into())
}

fn man_page() -> Result<String> {
    run("man", &["-w", "pinlease-doctor"])
}

fn completion() -> Result<String> {
    let script = ". /usr/share/bash-completion/completions/pinlease; complete -p pinlease";
    for path in [
        "/usr/share/zsh/vendor-completions/_pinlease",
        "/usr/share/fish/vendor_completions.d/pinlease.fish",
    ] {
        ensure!(Path::new(path).exists(), "no {path}");
    }
    run("bash", &["-c", script])
}
