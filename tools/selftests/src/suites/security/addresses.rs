// SPDX-License-Identifier: GPL-2.0
//! Nothing that pinlease tells has an address of the kernel in it.

use std::{
    fs,
    os::fd::{AsFd, AsRawFd},
    time::Duration,
};

use anyhow::{ensure, Context as _, Result};
use nix::unistd::truncate;
use pinlease::{issue, issue_next, uapi, Device, PinOptions, Policy};

use crate::{
    harness::{Context, TestResult},
    support::{extended::with_size, page_size, Breaking, Fill, Handler, Mapped},
};

/// The lowest address of the kernel's half.
const KERNEL: u64 = 0xffff_8000_0000_0000;

/// Structures, events, and texts.
pub fn addresses(context: &Context) -> TestResult {
    context.load_modules()?;
    let mapped = Mapped::create(&context.path("addresses"), 4, Fill::Faulted)?;
    let device = Device::open()?;
    let watch = device.watch()?;
    let lease = device.lease(&mapped).policy(Policy::Refuse);
    let lease = lease.grace(Duration::from_secs(1)).acquire()?;
    let _pin = lease.pin(mapped.address(0), page_size(), PinOptions::default())?;
    let refused = Breaking::begin(Handler::Interrupts, || truncate(mapped.path(), 0))?;
    refused.end(Duration::from_secs(10))?;

    let mut query = with_size(uapi::pinlease_query::default());
    issue(lease.as_fd(), &mut query)?;
    binary("QUERY", &bytes(&query))?;
    let mut next = uapi::pinlease_next {
        size: size_of::<uapi::pinlease_next>() as u32,
        ..Default::default()
    };
    let mut path = [0; 512];
    issue_next(device.as_fd(), &mut next, &mut path)?;
    binary("NEXT", &bytes(&next))?;
    binary("the path of NEXT", &path)?;
    for (what, fd) in [
        ("an event", lease.as_fd()),
        ("an event of a watch", watch.as_fd()),
    ] {
        let mut event = [0; size_of::<uapi::pinlease_event>()];
        let length = nix::unistd::read(fd, &mut event).context(what)?;
        ensure!(length == event.len(), "{what} has {length} bytes");
        binary(what, &event)?;
    }

    let number = lease.as_fd().as_raw_fd();
    let mut texts = vec![format!("/proc/self/fdinfo/{number}")];
    for entry in fs::read_dir("/sys/kernel/debug/pinlease")? {
        texts.push(entry?.path().display().to_string());
    }
    ensure!(texts.len() > 2, "debugfs has nothing");
    for path in texts {
        text(
            &path,
            &fs::read_to_string(&path).with_context(|| path.clone())?,
        )?;
    }
    Ok(())
}

/// The words of a structure that is all integers.
fn bytes<T: Copy>(structure: &T) -> Vec<u8> {
    let pointer = std::ptr::from_ref(structure).cast::<u8>();
    // SAFETY: the structures of the interface are integers without padding.
    unsafe { std::slice::from_raw_parts(pointer, size_of::<T>()) }.to_vec()
}

fn binary(what: &str, bytes: &[u8]) -> Result<()> {
    for word in bytes.chunks_exact(8) {
        let word = u64::from_le_bytes(word.try_into()?);
        ensure!(word < KERNEL, "{what} has {word:#x}");
    }
    Ok(())
}

fn text(what: &str, text: &str) -> Result<()> {
    for word in text.split(|character: char| !character.is_ascii_hexdigit()) {
        let number = u64::from_str_radix(word, 16).unwrap_or(0);
        ensure!(number < KERNEL, "{what} has {word}");
    }
    Ok(())
}
