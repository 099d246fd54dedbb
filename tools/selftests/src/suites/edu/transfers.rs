// SPDX-License-Identifier: GPL-2.0
//! Many transfers beside fsync and truncation: what was written before an fsync is
//! on the disk after it, whole; and nothing is written where a file was cut off.
//!
//! Torn pages show on btrfs; on others only in the long form, which has dm-integrity
//! below. On the stock side the same devices write the same file without leases.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{ensure, Context as _, Result};
use pinlease::Lease;

use crate::{
    harness::{Context, Side, TestResult},
    suites::s02_tearing::{judge, judging_filesystem},
    support::{
        edu::{rig, Domain, Edu, EduRig, Edus, Fault, Passes, Revoked},
        page_size, residue, Census, DirectReader, Fill, Mapped, Requirement, Scratch,
    },
};

/// Pages of each device.
const PAGES: u64 = 2;

/// Transfers for each of [`Context::rounds`].
const TRANSFERS: u64 = 5;

/// Fsyncs between two truncations.
const FSYNCS: u64 = 8;

/// [`Context::rounds`] from which on a filesystem is made where tearing shows, which
/// takes longer than the short form.
const LONG: u64 = 200;

/// So long it takes for one, if there is only one device and the machine is slow.
const PATIENCE: Duration = Duration::from_secs(2);

/// A device that writes its part of the file.
struct Writer {
    edu: Edu,
    _lease: Option<Lease>,
    first: u64,
}

impl Writer {
    fn new(context: &Context, mapped: &Mapped, index: u64) -> Result<Self> {
        let edu = Edu::open()?;
        let first = index * PAGES;
        let lease = match context.side {
            Side::Stock => {
                edu.pin_raw(mapped.address(first), PAGES as usize * page_size())?;
                None
            }
            _ => Some(rig::lease(mapped, &edu, first..first + PAGES, Fault::None)?),
        };
        edu.start(0, PAGES, 1, Passes::Counting)?;
        Ok(Self {
            edu,
            _lease: lease,
            first,
        })
    }
}

/// A device whose file is cut off again and again.
struct Cut {
    rig: EduRig,
    transfers: u64,
    cuts: u64,
}

impl Cut {
    fn new(path: &Path) -> Result<Self> {
        let rig = EduRig::new(path, PAGES, Fault::None)?;
        rig.edu.start(0, PAGES, 1, Passes::Counting)?;
        Ok(Self {
            rig,
            transfers: 0,
            cuts: 0,
        })
    }

    /// Another process truncates the file; it is extended again, and stays empty.
    fn again(mut self) -> Result<Self> {
        self.rig.revoke(Revoked::Truncated)?;
        self.rig.extend()?;
        // Nothing of the file is pinned, so that one transfer's time shows what lands late.
        let begin = Instant::now();
        while begin.elapsed() < crate::support::edu::TRANSFER {
            for page in 0..PAGES {
                let bytes = self.rig.mapped.load(page);
                ensure!(
                    bytes.iter().all(|&byte| byte == 0),
                    "page {page} was written after the truncation"
                );
            }
        }
        let transfers = self.transfers + self.rig.edu.status()?.transfers;
        let mapped = self.rig.release();
        let rig = EduRig::on(mapped, Fault::None)?;
        rig.edu.start(0, PAGES, 1, Passes::Counting)?;
        Ok(Self {
            rig,
            transfers,
            cuts: self.cuts + 1,
        })
    }
}

/// As many transfers as asked for, by as many devices as there are.
pub fn check(context: &Context) -> TestResult {
    let edus = Edus::usual(context, Domain::AsBooted, 2)?;
    // Without leases everything is lost long before it is torn.
    let cut_devices = u64::from(context.side != Side::Stock);
    let scratch = match context.rounds >= LONG && context.side != Side::Stock {
        true => Some(judging_filesystem(context)?),
        false => None,
    };
    let dir = scratch.as_ref().map_or(&*context.dir, Scratch::dir);
    let writers = edus.count() as u64 - cut_devices;
    let wanted = TRANSFERS * context.rounds;

    let path = dir.join("transfers");
    let mapped = Mapped::create(&path, writers * PAGES, Fill::Written)?;
    let writers = (0..writers)
        .map(|index| Writer::new(context, &mapped, index))
        .collect::<Result<Vec<_>>>()?;
    let mut cut = match cut_devices {
        0 => None,
        _ => Some(Cut::new(&dir.join("cut"))?),
    };
    // Until then there is what was there before.
    writers.iter().try_for_each(|writer| writer.edu.wait(1))?;
    let mut disk = DirectReader::open(&path)?;
    let mut census = Census::default();
    let mut fsyncs = 0_u64;
    let begin = Instant::now();
    loop {
        let published = statuses(&writers)?;
        mapped.file().sync_all().context("fsync")?;
        fsyncs += 1;
        for (writer, (_, completed)) in writers.iter().zip(&published) {
            let wanted = Requirement::AtLeast(*completed);
            census.add(disk.part(writer.first, PAGES, 0, wanted)?);
        }
        if fsyncs % FSYNCS == 0 {
            cut = cut.map(Cut::again).transpose()?;
        }
        let cut_off = cut.as_ref().map_or(0, |cut| cut.transfers);
        let done = cut_off
            + published
                .iter()
                .map(|(transfers, _)| transfers)
                .sum::<u64>();
        let cuts = cut.as_ref().map_or(0, |cut| cut.cuts);
        if done >= wanted && (cut.is_none() || cuts > 0) {
            println!("{done} transfers, {fsyncs} fsyncs, {cuts} truncations: {census}");
            break;
        }
        ensure!(
            begin.elapsed() < PATIENCE * wanted as u32,
            "only {done} transfers in {:?}",
            begin.elapsed()
        );
    }
    println!("took {:?}", begin.elapsed());
    let errors = scratch.as_ref().map_or(Ok(0), judge)?;
    drop(cut);
    drop(writers);
    drop(mapped);
    if context.side == Side::Stock {
        ensure!(census.lost > 0, "the control shows no loss: {census}");
        return Ok(());
    }
    ensure!(errors == 0, "{errors} checksum errors");
    census.all_kept()?;
    residue::none_left()
}

/// Transfers, and the generation of the last complete pass, of each.
fn statuses(writers: &[Writer]) -> Result<Vec<(u64, u64)>> {
    writers
        .iter()
        .map(|writer| {
            let status = writer.edu.status()?;
            Ok((status.transfers, status.completed))
        })
        .collect()
}
