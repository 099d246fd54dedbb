// SPDX-License-Identifier: GPL-2.0
//! PIN looks at the mapping, lets go of it, and pins: meanwhile another thread
//! puts something else there.

use std::{
    fs::File,
    num::NonZeroUsize,
    os::unix::fs::fchown,
    path::PathBuf,
    ptr::NonNull,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure, Context as _, Result};
use nix::sys::mman::{mmap, mmap_anonymous, MapFlags, ProtFlags};
use pinlease::{map_shared, Device, Lease, PinError, PinOptions, Policy};

use crate::{
    harness::{Context, TestResult},
    support::{page_size, process, residue, Mapped},
};

const PAGE: usize = page_size();

/// Pinned pages: more than the module pins in one go.
const PAGES: usize = 1024;

/// Where they are in the file: behind as many that are mapped in their place.
const FIRST: usize = 1024;

/// A race that is not met within this time is not met.
const LIMIT: Duration = Duration::from_secs(20);

/// How often it is to be met.
const OFTEN: u32 = 10;

/// What is put in place of the second half.
#[derive(Clone, Copy, Debug)]
enum Instead {
    Beginning,
    Anonymous,
    AnotherFile,
}

/// Whatever is there when the pages are taken, a pin is of the leased file where
/// it says, or there is none.
pub fn remapped(context: &Context) -> TestResult {
    context.load_modules()?;
    let path = |name: &str| -> PathBuf { context.path(name) };
    let mapped = Mapped::sparse(&path("remapped"), (FIRST + PAGES) as u64)?;
    let other = Mapped::sparse(&path("another"), PAGES as u64)?;
    let nobody = Some(process::NOBODY);
    fchown(mapped.file(), nobody, nobody)?;
    let device = Device::open()?;
    for instead in [Instead::Beginning, Instead::Anonymous, Instead::AnotherFile] {
        process::as_nobody(|| {
            let lease = device.lease(&mapped).policy(Policy::Refuse).acquire()?;
            race(&lease, &mapped, &other, instead)
        })
        .with_context(|| format!("{instead:?} instead"))?;
    }
    residue::none_left()
}

fn race(lease: &Lease, mapped: &Mapped, other: &Mapped, instead: Instead) -> Result<()> {
    let address = map_shared(mapped, (FIRST * PAGE) as u64, PAGES * PAGE)?;
    let half = address.as_ptr().wrapping_add(PAGES / 2 * PAGE).addr();
    let stop = AtomicBool::new(false);
    let (mapped, other) = (mapped.file(), other.file());
    thread::scope(|scope| {
        let exchanger = scope.spawn(|| -> Result<u64> {
            let mut times = 0;
            while !stop.load(Ordering::Relaxed) {
                exchange(half, mapped, other, Some(instead))?;
                exchange(half, mapped, other, None)?;
                times += 1;
            }
            Ok(times)
        });
        let result = pin_often(lease, address.as_ptr());
        stop.store(true, Ordering::Relaxed);
        match exchanger.join() {
            Ok(times) => println!("{instead:?}: exchanged {} times", times?),
            Err(_) => bail!("the exchanging thread panicked"),
        }
        result
    })
}

/// Pins until it was prevented often enough.
fn pin_often(lease: &Lease, address: *const u8) -> Result<()> {
    let begin = Instant::now();
    let (mut pinned, mut prevented, mut refused) = (0, 0, 0);
    while prevented < OFTEN && begin.elapsed() < LIMIT {
        match lease.pin(address, PAGES * PAGE, PinOptions::default()) {
            Ok(pin) => {
                ensure!(
                    pin.offset() == (FIRST * PAGE) as u64,
                    "offset {}",
                    pin.offset()
                );
                pinned += 1;
            }
            // Something else was there in the end.
            Err(PinError::Breaking | PinError::Io) => prevented += 1,
            // Or at the beginning.
            Err(PinError::NotShared | PinError::OutsideLease) => refused += 1,
            Err(error) => bail!("after {pinned} pins: {error}"),
        }
    }
    println!("{pinned} pinned, {refused} refused at once, {prevented} after the pages were taken");
    ensure!(prevented > 0, "the race was never met");
    ensure!(lease.query()?.pins == 0, "pins are left");
    Ok(())
}

/// Puts something, or what belongs there, in place of the second half.
fn exchange(half: usize, mapped: &File, other: &File, instead: Option<Instead>) -> Result<()> {
    let half = NonZeroUsize::new(half);
    let length = NonZeroUsize::new(PAGES / 2 * PAGE).context("empty")?;
    let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    let shared = MapFlags::MAP_SHARED | MapFlags::MAP_FIXED;
    let private = MapFlags::MAP_PRIVATE | MapFlags::MAP_FIXED;
    let file = |file: &File, page: usize| -> nix::Result<NonNull<_>> {
        // SAFETY: it replaces a part of the mapping that the race made, and to
        // which nothing refers.
        unsafe { mmap(half, length, access, shared, file, (page * PAGE) as i64) }
    };
    match instead {
        None => file(mapped, FIRST + PAGES / 2),
        Some(Instead::Beginning) => file(mapped, 0),
        Some(Instead::AnotherFile) => file(other, 0),
        // SAFETY: as above.
        Some(Instead::Anonymous) => unsafe { mmap_anonymous(half, length, access, private) },
    }?;
    Ok(())
}
