// SPDX-License-Identifier: GPL-2.0
//! The machine: one processor, a disk, a shared folder, no network.

use std::{
    path::Path,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{ensure, Context, Result};
use pinlease_vm::qemu::Accelerator;

use crate::image::Image;

/// Runs until the guest switches itself off; what it says on its console goes to `console`.
///
/// # Errors
///
/// It takes longer than `limit`, or QEMU fails.
pub fn run(
    image: &Image,
    accelerator: Accelerator,
    disk: &Path,
    share: &Path,
    console: &Path,
    limit: Duration,
) -> Result<()> {
    // QEMU must not outlive us, however we end.
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
    command.args(["-machine", "q35,hpet=off", "-m", "3G", "-smp", "2"]);
    command.args(accelerator.arguments());
    command
        .arg("-kernel")
        .arg(&image.kernel)
        .arg("-initrd")
        .arg(&image.initramfs);
    command.args([
        "-append",
        "root=/dev/vda console=ttyS0 quiet no_timer_check tsc=reliable",
    ]);
    command.arg("-drive").arg(format!(
        "if=virtio,format=raw,cache=unsafe,file={}",
        disk.display()
    ));
    command
        .arg("-serial")
        .arg(format!("file:{}", console.display()));
    command.arg("-virtfs").arg(format!(
        "local,path={},mount_tag=share,security_model=none",
        share.display()
    ));
    let mut child = command.spawn().context("setpriv qemu-system-x86_64")?;
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            ensure!(
                status.success(),
                "QEMU: {status}, see {}",
                console.display()
            );
            return Ok(());
        }
        if begin.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            anyhow::bail!("not done after {limit:?}, see {}", console.display());
        }
        sleep(Duration::from_millis(200));
    }
}
