// SPDX-License-Identifier: GPL-2.0
//! The machine: one processor, a disk, a shared folder, no network.

use std::{
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{ensure, Context, Result};
use pinlease_vm::qemu::{bare, escaped, Accelerator};

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
    let mut command = bare();
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
        escaped(disk)
    ));
    command
        .arg("-serial")
        .arg(format!("file:{}", console.display()));
    command.arg("-virtfs").arg(format!(
        "local,path={},mount_tag=share,security_model=none",
        escaped(share)
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
