// SPDX-License-Identifier: GPL-2.0
//! The tests' own equipment: a judge that cannot convict proves nothing.

use std::{
    fs::{File, OpenOptions},
    io::Read,
    os::unix::fs::FileExt,
};

use anyhow::{ensure, Result};

use super::s02_tearing::{judge, judging_filesystem};
use crate::{
    harness::{Context, Test, TestResult},
    support::{
        freeze::Frozen, sysctl::drop_caches, Census, DirectReader, Fill, Mapped, Requirement,
        WriteCounter,
    },
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("equipment.read-back", read_back),
    Test::new("equipment.judge", judge_convicts).seconds(300),
    Test::new("equipment.freeze", freeze),
];

/// The reader and the counter of writes see what the CPU stored and synced.
fn read_back(context: &Context) -> TestResult {
    for fill in [Fill::Faulted, Fill::Written] {
        let mapped = Mapped::create(&context.path("equipment"), context.pages, fill)?;
        let mut reader = DirectReader::open(mapped.path())?;
        reader
            .census(context.pages, Requirement::Exactly(0))?
            .all_kept()?;
        let counter = WriteCounter::of(mapped.path())?;
        mapped.stamp_by_cpu(7);
        mapped.file().sync_all()?;
        reader
            .census(context.pages, Requirement::Exactly(7))?
            .all_kept()?;
        let older = reader.census(context.pages, Requirement::AtLeast(8))?;
        ensure!(
            older.lost == context.pages,
            "nothing is of generation 8: {older}"
        );
        let written = counter.bytes()?;
        ensure!(
            written >= mapped.length() as u64,
            "{written} bytes counted, {} written",
            mapped.length()
        );
    }
    Ok(())
}

/// A block that changed behind the checksum is found by the judge and by the
/// reader.
fn judge_convicts(context: &Context) -> TestResult {
    let scratch = judging_filesystem(context)?;
    let mapped = Mapped::create(&scratch.dir().join("f"), context.pages, Fill::Written)?;
    ensure!(
        judge(&scratch)? == 0,
        "a new filesystem has checksum errors"
    );
    let census = |mapped: &Mapped| -> Result<Census> {
        drop_caches()?;
        DirectReader::open(mapped.path())?.census(context.pages, Requirement::Exactly(0))
    };
    census(&mapped)?.all_kept()?;

    let frozen = Frozen::freeze(scratch.dir())?;
    let changed = corrupt(context, 1)?;
    frozen.thaw()?;
    ensure!(changed == 1, "page 1 was found {changed} times on the disk");
    let census = census(&mapped)?;
    println!("{census}");
    ensure!(
        census.torn == 1 && census.lost == 0,
        "one page was changed: {census}"
    );
    ensure!(judge(&scratch)? > 0, "the judge saw nothing");
    Ok(())
}

/// Changes a word of page `number`, generation 0, wherever it is on the raw
/// disk; returns how often it was there.
fn corrupt(context: &Context, number: u64) -> Result<u64> {
    let path = context.device()?;
    let mut file = File::open(path)?;
    let raw = OpenOptions::new().write(true).open(path)?;
    let mut chunk = vec![0; 1 << 20];
    let pattern = number.to_ne_bytes().repeat(64);
    let mut found = 0;
    let mut offset = 0;
    loop {
        let length = file.read(&mut chunk)?;
        if length == 0 {
            break;
        }
        // dm-integrity shifts blocks by sectors, not by pages.
        let mut sector = 0;
        while sector + 512 <= length {
            if chunk[sector..sector + 512] == pattern {
                raw.write_all_at(b"!", offset + sector as u64)?;
                found += 1;
                sector += 4096;
            } else {
                sector += 512;
            }
        }
        offset += length as u64;
    }
    raw.sync_all()?;
    Ok(found)
}

/// A frozen filesystem can be thawed.
fn freeze(context: &Context) -> TestResult {
    let frozen = Frozen::freeze(&context.dir)?;
    frozen.thaw()?;
    File::create(context.path("equipment"))?;
    std::fs::remove_file(context.path("equipment"))?;
    Ok(())
}
