// SPDX-License-Identifier: GPL-2.0
//! Scenario 15: a page that is mapped more than 1024 times looks pinned to
//! `folio_maybe_dma_pinned()`.  It must be written right, and not be copied
//! without bound.

use std::num::NonZeroUsize;

use anyhow::{ensure, Context as _, Result};
use nix::sys::mman::{mmap, MapFlags, ProtFlags};

use crate::{
    harness::{Context, Test, TestResult},
    support::{page_size, stamp, DirectReader, Fill, Mapped, Requirement, RigOptions},
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("s15-many-mappings.leased", leased),
    Test::new("s15-many-mappings.no-lease", no_lease),
];

/// GUP_PIN_COUNTING_BIAS, and some.
const MAPPINGS: usize = 1100;

/// The page that is mapped often; the device has the first ones.
const POPULAR: u64 = 5;
const PAGES: u64 = 8;

const FSYNCS: u64 = 10;

/// Maps the page again and again; the mappings stay until the process ends.
fn popularize(mapped: &Mapped) -> Result<()> {
    let length = NonZeroUsize::new(page_size()).context("nonzero")?;
    for _ in 0..MAPPINGS {
        // SAFETY: a new mapping at an address of the kernel's choice.
        let address = unsafe {
            mmap(
                None,
                length,
                ProtFlags::PROT_READ,
                MapFlags::MAP_SHARED | MapFlags::MAP_POPULATE,
                mapped,
                (POPULAR * page_size() as u64) as i64,
            )
        };
        address.context("mmap")?;
    }
    Ok(())
}

/// The CPU stores into the popular page.
fn store(mapped: &Mapped, generation: u64) {
    let mut page = vec![0; page_size()];
    stamp(&mut page, POPULAR, generation);
    // SAFETY: the page is mapped, and nothing refers to it but raw pointers.
    unsafe {
        mapped
            .address(POPULAR)
            .copy_from_nonoverlapping(page.as_ptr(), page.len());
    }
}

/// Others' pages of a leased file.
fn leased(context: &Context) -> TestResult {
    context.load_modules()?;
    let rig = RigOptions::new(context.side, PAGES, Fill::Faulted)
        .pin(0, 4)
        .build(&context.path("s15"))?;
    popularize(&rig.mapped)?;
    let before = rig.lease()?.query()?.snapshots;
    for generation in 1..=FSYNCS {
        store(&rig.mapped, generation);
        rig.engine.write_all(generation)?;
        rig.fsync()?;
        let mut reader = DirectReader::open(rig.mapped.path())?;
        for (page, wanted) in [
            (0, generation),
            (3, generation),
            (POPULAR, generation),
            (6, 0),
        ] {
            reader
                .page(page, Requirement::Exactly(wanted))?
                .all_kept()?;
        }
    }
    let copied = rig.lease()?.query()?.snapshots - before;
    println!("{copied} snapshots in {FSYNCS} fsyncs of 4 pinned pages");
    // The popular page may be taken for pinned; the others not.
    let allowed = FSYNCS * (4 + 1);
    ensure!(
        copied <= allowed,
        "{copied} snapshots, {allowed} are allowed"
    );
    Ok(())
}

/// A file without a lease, while another one has one.
fn no_lease(context: &Context) -> TestResult {
    context.load_modules()?;
    let options = RigOptions::new(context.side, PAGES, Fill::Faulted);
    let other = options.build(&context.path("s15-other"))?;
    let mapped = Mapped::create(&context.path("s15"), PAGES, Fill::Faulted)?;
    popularize(&mapped)?;
    let before = other.lease()?.query()?.snapshots;
    for generation in 1..=FSYNCS {
        store(&mapped, generation);
        mapped.file().sync_all()?;
        DirectReader::open(mapped.path())?
            .page(POPULAR, Requirement::Exactly(generation))?
            .all_kept()?;
    }
    let copied = other.lease()?.query()?.snapshots - before;
    ensure!(
        copied == 0,
        "{copied} pages of a file without a lease were copied"
    );
    Ok(())
}
