// SPDX-License-Identifier: GPL-2.0
//! Memory that pinlease keeps, for pins and for leases.

use anyhow::Result;
use pinlease::{Device, PinOptions, Policy};
use selftests::support::{new_file, page_size, Fill, Mapped};

use super::{kmem::Kmem, session::Session, turns::plain, writeback::leased};
use crate::measured::Unit;

pub(super) const NAMES: &[&str] = &["bytes_"];

/// Small folios that are pinned.
const FOLIOS: u64 = 16 << 10;

/// Leases of one file.
const LEASES: u64 = 256;

pub(super) fn measure(session: &Session<'_>) -> Result<()> {
    session.load("pinlease")?;
    // A mean of many, which is the same every time: one round.
    let pages = session.either(FOLIOS, FOLIOS / 8);
    let small = Mapped::create(&session.dir().join("small"), pages, Fill::Faulted)?;
    for (name, marked) in [("bytes_per_folio", false), ("bytes_per_folio_marked", true)] {
        let (pinned, written) = of_pin(&small, marked)?;
        for (suffix, bytes, when) in [
            ("_unwritten", pinned, "while nothing was written back"),
            ("", written, "after all was written back once"),
        ] {
            session.tell(plain(
                format!("{name}{suffix}"),
                &format!("for each pinned folio of 4 KiB, {when}"),
                Unit::Bytes,
                vec![bytes as f64 / pages as f64],
            ))?;
        }
    }
    drop(small);
    let bytes = session.either(1_u64 << 30, 64 << 20);
    let large = Mapped::create(
        &session.dir().join("large"),
        bytes / page_size() as u64,
        Fill::Written,
    )?;
    // Of a smaller file it would be another figure.
    let scale = (1_u64 << 30) as f64 / bytes as f64;
    for (name, marked) in [
        ("bytes_1gib_2mib_folios", false),
        ("bytes_1gib_2mib_folios_marked", true),
    ] {
        let (_, written) = of_pin(&large, marked)?;
        session.tell(plain(
            name,
            "for 1 GiB that was written by write(2), all pinned and written back once",
            Unit::Bytes,
            vec![written as f64 * scale],
        ))?;
    }
    drop(large);
    leases(session)
}

/// Bytes for one pin of all of a file: before and after it is written back.
fn of_pin(mapped: &Mapped, marked: bool) -> Result<(u64, u64)> {
    let device = Device::open()?;
    mapped.file().sync_all()?;
    let lease = leased(&device, mapped)?;
    let kmem = Kmem::listen()?;
    let pin = lease.pin(mapped.address(0), mapped.length(), PinOptions { marked })?;
    let pinned = kmem.kept()?;
    if marked {
        lease.mark(0, mapped.length() as u64)?;
    }
    mapped.file().sync_all()?;
    let written = kmem.kept()?;
    drop(kmem);
    pin.release()?;
    Ok((pinned, written))
}

fn leases(session: &Session<'_>) -> Result<()> {
    let path = session.dir().join("leases");
    let file = new_file(&path)?;
    file.set_len(LEASES * page_size() as u64)?;
    let device = Device::open()?;
    let acquire = |number: u64| {
        let offset = number * page_size() as u64;
        let lease = device
            .lease(&file)
            .range(offset, page_size() as u64)
            .policy(Policy::Refuse);
        lease.acquire()
    };
    // What the file itself takes is not that of a lease.
    let first = acquire(0)?;
    let kmem = Kmem::listen()?;
    let more: Vec<_> = (1..LEASES).map(acquire).collect::<Result<_, _>>()?;
    let kept = kmem.kept()?;
    drop(kmem);
    drop((first, more));
    std::fs::remove_file(path)?;
    session.tell(plain(
        "bytes_per_lease",
        "for each lease of a file that has one",
        Unit::Bytes,
        vec![kept as f64 / (LEASES - 1) as f64],
    ))
}
