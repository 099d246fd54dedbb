// SPDX-License-Identifier: GPL-2.0
//! With which status it ends.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    process::Output,
};

use anyhow::{ensure, Result};
use nix::sys::signal::Signal;

use super::{
    become_program,
    common::{setup, text},
};
use crate::harness::{Context, TestResult};

/// The program's end is the command's, and what it prints.
pub fn passes(context: &Context) -> TestResult {
    let (_device, mapped) = setup(context, "run-status")?;
    let lease = ["--lease", text(mapped.path())?];
    for (script, code, signal) in [
        ("echo out; echo error >&2", Some(0), None),
        ("echo out; echo error >&2; exit 3", Some(3), None),
        ("echo out; echo error >&2; exit 127", Some(127), None),
        (
            "echo out; echo error >&2; kill -TERM $$",
            None,
            Some(Signal::SIGTERM as i32),
        ),
    ] {
        let output = become_program(context, &lease, &["sh", "-c", script])?.output()?;
        let Output { status, .. } = output;
        ensure!(
            (status.code(), status.signal()) == (code, signal),
            "{script}: {status}"
        );
        ensure!(
            output.stdout == b"out\n" && output.stderr == b"error\n",
            "{script}: {output:?}"
        );
    }
    Ok(())
}

/// As env(1) says it; and the leases are gone.
pub fn not_executed(context: &Context) -> TestResult {
    let (device, mapped) = setup(context, "run-not-executed")?;
    let lease = ["--lease", text(mapped.path())?];
    let folder = context.path("run-programs");
    let file = |name: &str, contents: &str, mode| -> Result<String> {
        fs::create_dir_all(&folder)?;
        let path = folder.join(name);
        fs::write(&path, contents)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        Ok(text(&path)?.to_owned())
    };
    let plain = file("plain", "", 0o644)?;
    let orphan = file("orphan", "#!/no/such/interpreter\n", 0o755)?;
    // What is no program in another way is for the shell, as execvp(3) has it.
    let script = file("run-script", "exit 5\n", 0o755)?;

    for (program, status, complaint) in [
        (
            "no-such-program",
            127,
            "pinlease: no-such-program: command not found\n",
        ),
        ("/no/such", 127, "pinlease: /no/such: command not found\n"),
        (&orphan, 127, ": command not found\n"),
        (&plain, 126, ": permission denied, or not executable\n"),
        (
            "/",
            126,
            "pinlease: /: permission denied, or not executable\n",
        ),
        (&script, 5, ""),
        // Looked for in PATH, of which the last entry has it.
        ("run-script", 5, ""),
    ] {
        let mut command = become_program(context, &lease, &[program])?;
        command.env("PATH", format!("/bin:{}", text(&folder)?));
        let Output {
            status: ended,
            stderr,
            ..
        } = command.output()?;
        let stderr = String::from_utf8_lossy(&stderr);
        ensure!(
            ended.code() == Some(status) && stderr.ends_with(complaint),
            "{program}: {ended}, not {status} with '{complaint}': {stderr}"
        );
        ensure!(stderr.lines().count() <= 1, "{stderr}");
        ensure!(
            device.leases().next().is_none(),
            "{program}: a lease is left"
        );
    }
    fs::remove_dir_all(&folder)?;
    Ok(())
}

/// Wrong arguments are told from what goes wrong; nothing is leased for them.
pub fn usage(context: &Context) -> TestResult {
    let (_device, mapped) = setup(context, "run-usage")?;
    let path = text(mapped.path())?;
    for (options, program, complaint) in [
        (
            &["--lease", path, "--policy", "revoke"][..],
            &["true"][..],
            "use kill, block or refuse",
        ),
        (
            &["--lease", path, "--policy", "murder"],
            &["true"],
            "a policy is one of",
        ),
        (&["--lease", path, "--grace", "soon"], &["true"], "soon"),
        (&["--lease", "f:0,many"], &["true"], "is no number of bytes"),
        (&[], &["true"], "--lease"),
        (&["--lease", path], &[], "COMMAND"),
    ] {
        let output = become_program(context, options, program)?.output()?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.code() == Some(2) && stderr.contains(complaint),
            "{options:?}: {}, not 2 with '{complaint}': {stderr}",
            output.status
        );
    }
    Ok(())
}
