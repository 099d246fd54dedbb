// SPDX-License-Identifier: GPL-2.0
//! What the tests of the command share.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use anyhow::{ensure, Context as _, Result};
use pinlease::{Device, DEVICE_PATH};
use serde_json::Value;

use crate::{
    harness::{skip, Context},
    support::{page_size, proc::wait_for, Fill, Mapped},
};

/// A grace that is over before no test.
pub const LONG: Duration = Duration::from_secs(50);

/// Pages of the file.
pub const PAGES: u64 = 4;

/// Bytes of a page.
pub const PAGE: u64 = page_size() as u64;

/// The device, and a file of [`PAGES`] pages on which nobody has a lease; so
/// has no other.
pub fn setup(context: &Context, name: &str) -> Result<(Device, Mapped)> {
    context.load_modules()?;
    let device = Device::open()?;
    // What ended tests leave goes away shortly after.
    let none = || Ok(device.leases().next().is_none());
    wait_for("no lease is left", Duration::from_secs(10), none)?;
    let mapped = Mapped::create(&context.path(name), PAGES, Fill::Faulted)?;
    Ok((device, mapped))
}

/// The command, with arguments.
pub fn pinlease(context: &Context, arguments: &[&str]) -> Result<Command> {
    if !context.command.exists() {
        return skip(format!(
            "needs the command {} (--command)",
            context.command.display()
        ));
    }
    let mut command = Command::new(&context.command);
    command.args(arguments);
    Ok(command)
}

/// Runs the command; gives its standard output.
pub fn run(context: &Context, arguments: &[&str]) -> Result<String> {
    output(pinlease(context, arguments)?)
}

/// Runs a command that must succeed and complain of nothing.
pub fn output(mut command: Command) -> Result<String> {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output()?;
    let stderr = String::from_utf8_lossy(&stderr);
    ensure!(
        status.success() && stderr.is_empty(),
        "{command:?}: {status}: {stderr}"
    );
    Ok(String::from_utf8(stdout)?)
}

/// Runs the command, which must fail with status 1 and one line that begins
/// with "pinlease: " and contains `complaint`.
pub fn fails(context: &Context, arguments: &[&str], complaint: &str) -> Result<()> {
    let result = pinlease(context, arguments)?.output()?;
    let stderr = String::from_utf8_lossy(&result.stderr);
    ensure!(
        result.status.code() == Some(1)
            && stderr.starts_with("pinlease: ")
            && stderr.lines().count() == 1
            && stderr.contains(complaint),
        "{arguments:?}: {}, not 1 with '{complaint}': {stderr}",
        result.status
    );
    Ok(())
}

/// What the command prints as one JSON value.
pub fn json(context: &Context, arguments: &[&str]) -> Result<Value> {
    parse(&run(context, arguments)?)
}

/// A JSON value.
pub fn parse(text: &str) -> Result<Value> {
    serde_json::from_str(text).with_context(|| format!("no JSON: {text}"))
}

/// Asserts that the field `name` of `of` is `expected`.
pub fn field(of: &Value, name: &str, expected: impl Into<Value>) -> Result<()> {
    let expected = expected.into();
    ensure!(
        of.get(name) == Some(&expected),
        "{name} is not {expected}: {of}"
    );
    Ok(())
}

/// A number of `of`.
pub fn number(of: &Value, name: &str) -> Result<u64> {
    let number = of.get(name).and_then(Value::as_u64);
    number.with_context(|| format!("{name} is no number: {of}"))
}

/// A path as an argument.
pub fn text(path: &Path) -> Result<&str> {
    path.to_str().context("path is not UTF-8")
}

/// The device node, open to all; dropping it makes it as it was.
pub struct Opened(fs::Permissions);

impl Opened {
    /// Lets every user open it.
    pub fn for_all() -> Result<Self> {
        let before = fs::metadata(DEVICE_PATH)?.permissions();
        fs::set_permissions(DEVICE_PATH, fs::Permissions::from_mode(0o666))?;
        Ok(Self(before))
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let _ = fs::set_permissions(DEVICE_PATH, self.0.clone());
    }
}

/// Another program cuts the file to nothing.  Not a fork: that would have a
/// copy of the test's lease, and keep it.  Not truncate(1): that does not wait.
pub struct Breaker(Child);

impl Breaker {
    /// Its name, as the kernel tells it.
    pub const COMM: &str = "sh";

    /// Starts it.
    pub fn truncate(path: &Path) -> Result<Self> {
        let child = Command::new(Self::COMM)
            .args(["-c", ": >\"$0\"", text(path)?])
            .stderr(Stdio::piped())
            .spawn()
            .context("starting sh")?;
        Ok(Self(child))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Waits for its end; the error is what it complained of.
    pub fn join(self) -> Result<()> {
        let output = self.0.wait_with_output()?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}", complaint.trim());
        Ok(())
    }
}
