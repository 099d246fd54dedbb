// SPDX-License-Identifier: GPL-2.0
//! Where in the machine's memory a page is.

use std::{fs::File, os::unix::fs::FileExt};

use anyhow::{ensure, Context, Result};

use super::page_size;

/// Bits of an entry of /proc/PID/pagemap: the number, and that there is a page.
const NUMBER: u64 = (1 << 55) - 1;
const PRESENT: u64 = 1 << 63;

/// The number of the frame that this process has at `address`.
///
/// # Errors
///
/// There is none, or this process may not know (CAP_SYS_ADMIN).
pub fn page_frame(address: *const u8) -> Result<u64> {
    let mut entry = [0; 8];
    let offset = (address.addr() / page_size() * entry.len()) as u64;
    File::open("/proc/self/pagemap")?
        .read_exact_at(&mut entry, offset)
        .context("/proc/self/pagemap")?;
    let entry = u64::from_ne_bytes(entry);
    ensure!(
        entry & PRESENT != 0 && entry & NUMBER != 0,
        "no frame is told"
    );
    Ok(entry & NUMBER)
}
