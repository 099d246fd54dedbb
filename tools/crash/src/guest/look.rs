// SPDX-License-Identifier: GPL-2.0
//! The judging guest: mounts one state after the other, reads what it is told, and reports what it saw.

use std::{
    fs::File,
    io::Write,
    os::{fd::AsRawFd, unix::fs::FileExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{ensure, Context, Result};
use clap::Args;
use nix::mount::{umount2, MntFlags};
use selftests::support::{modules, page_size, DirectReader, KernelLog, Stamp};

use super::{
    direct::DirectDisk,
    format::{attach, check},
};
use crate::{
    geometry::{number_at, BLOCK},
    mailbox::{Letter, Receiver},
    observation::{Observation, Order, Page, Pages},
};

/// How often to look for a letter.
const PAUSE: Duration = Duration::from_millis(10);

/// Where states are mounted.
const PLACE: &str = "/mnt/state";

/// Commands of linux/fs.h.
mod command {
    // BLKFLSBUF.
    nix::ioctl_none_bad!(flush_buffers, nix::request_code_none!(0x12, 97));
}

/// What to look at.
#[derive(Args, Debug)]
pub struct Options {
    /// The disk with the states.
    #[arg(long)]
    state: PathBuf,
    /// The disk with the letters.
    #[arg(long)]
    mailbox: PathBuf,
}

/// Looks at states until there are no more.
///
/// # Errors
///
/// Something else fails than what is looked at.
pub fn run(options: &Options) -> Result<()> {
    ensure!(
        !modules::is_loaded("pinlease"),
        "pinlease is loaded where nothing may depend on it"
    );
    let mut mailbox = DirectDisk::open(&options.mailbox, false)?;
    let mut receiver = Receiver::default();
    let mut kernel = KernelLog::open()?;
    loop {
        match receiver.poll(|at| mailbox.read(at))? {
            None => thread::sleep(PAUSE),
            Some(Letter::End) => return Ok(()),
            Some(Letter::Look(order)) => {
                let begin = Instant::now();
                let mut seen = look(&options.state, &order)?;
                seen.kernel = kernel.splats();
                seen.seconds = begin.elapsed().as_secs_f64();
                println!("{}", serde_json::to_string(&seen)?);
                std::io::stdout().flush()?;
            }
        }
    }
}

fn look(disk: &Path, order: &Order) -> Result<Observation> {
    this_state_and_no_other(disk, order)?;
    let mut seen = Observation {
        number: order.number,
        ..Observation::default()
    };
    let place = Path::new(PLACE);
    if let Err(error) = attach(disk, order.filesystem, place) {
        seen.mount = Some(format!("{error:#}"));
        return Ok(seen);
    }
    for (file, pages) in &order.files {
        let read = read(&place.join(file), *pages).map_err(|error| format!("{error:#}"));
        seen.files.insert(file.clone(), read);
    }
    umount2(place, MntFlags::empty()).context("unmounting the state")?;
    seen.check = check(disk, order.filesystem)?;
    Ok(seen)
}

/// The host changes the disk behind this kernel's back. Nothing of an earlier state may be in the page cache: the number
/// of the state is read through it.
fn this_state_and_no_other(disk: &Path, order: &Order) -> Result<()> {
    let disk = File::open(disk)?;
    // SAFETY: the command has no argument, and the descriptor is open.
    unsafe { command::flush_buffers(disk.as_raw_fd()) }.context("BLKFLSBUF")?;
    let mut block = [0; BLOCK];
    disk.read_exact_at(&mut block, number_at(order.filesystem))?;
    let number = u64::from_le_bytes(block[..8].try_into()?);
    ensure!(
        number == order.number,
        "state {number} is on the disk instead of {}",
        order.number
    );
    Ok(())
}

fn read(path: &Path, pages: Pages) -> Result<Vec<Page>> {
    let length = path.metadata()?.len();
    ensure!(
        length >= pages.end * page_size() as u64,
        "only {length} bytes long"
    );
    let mut reader = DirectReader::open(path)?;
    let page = |number| match reader.stamp(number, number - pages.origin) {
        Ok(Stamp::Whole(generation)) => Page::Of(generation, generation),
        Ok(Stamp::Mixed { oldest, newest }) => Page::Of(oldest, newest),
        Ok(Stamp::Foreign) => Page::Foreign,
        Err(_) => Page::Unreadable,
    };
    Ok((pages.first..pages.end).map(page).collect())
}
