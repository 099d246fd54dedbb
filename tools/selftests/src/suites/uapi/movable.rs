// SPDX-License-Identifier: GPL-2.0
//! Where in the machine's memory pinned pages may stay.

use std::{fs, ops::Range};

use anyhow::{ensure, Result};
use pinlease::{Device, PinOptions};

use super::common::lease;
use crate::{
    harness::{skip, Context, TestResult},
    support::{command::number_after, page_frame, Fill, Mapped},
};

const PAGES: u64 = 64;

/// Pages of ZONE_MOVABLE leave it when they are pinned, as those of a long-term pin must.
pub fn movable(context: &Context) -> TestResult {
    let Some(zone) = movable_zone()? else {
        return skip("there is no movable zone (--vm-arg=--append=movablecore=700M)");
    };
    context.load_modules()?;
    for fill in [Fill::Faulted, Fill::Written] {
        let mapped = Mapped::create(&context.path("movable"), PAGES, fill)?;
        let inside = || -> Result<usize> {
            mapped.touch()?;
            let frames = (0..PAGES).map(|page| page_frame(mapped.address(page)));
            let frames = frames.collect::<Result<Vec<_>>>()?;
            Ok(frames.iter().filter(|frame| zone.contains(frame)).count())
        };
        let before = inside()?;
        ensure!(before > 0, "no page of the file is in the movable zone");
        let lease = lease(&Device::open()?, &mapped)?;
        let pin = lease.pin(mapped.address(0), mapped.length(), PinOptions::default())?;
        let left = inside()?;
        ensure!(left == 0, "{left} of {before} pinned pages could be moved");
        pin.release()?;
    }
    Ok(())
}

/// The frames of ZONE_MOVABLE, if there is one.
fn movable_zone() -> Result<Option<Range<u64>>> {
    let zones = fs::read_to_string("/proc/zoneinfo")?;
    let Some((_, zone)) = zones.split_once("Movable\n") else {
        return Ok(None);
    };
    let length = number_after(zone, "spanned")?;
    if length == 0 {
        return Ok(None);
    }
    let start = number_after(zone, "start_pfn:")?;
    Ok(Some(start..start + length))
}
