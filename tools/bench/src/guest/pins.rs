// SPDX-License-Identifier: GPL-2.0
//! Pinning and unpinning, beside pin_user_pages_fast() and unpin_user_pages().
//!
//! Both by two ioctls, on the same mapping, whose pages are there and writable.

use anyhow::{Context, Result};
use pinlease::{Device, Lease, PinOptions};
use selftests::support::{page_size, Fill, Mapped};

use super::{
    anonymous::Anonymous,
    pinbench::{Pinbench, Raw},
    session::Session,
    turns::{each, plain, Pairs},
    writeback::leased,
};
use crate::{
    measured::{Place, Unit},
    mode::Mode,
};

pub(super) const NAMES: &[&str] = &["pin_", "gup_"];

/// Names and bytes.
const SIZES: [(&str, u64); 9] = [
    ("4k", 4 << 10),
    ("16k", 16 << 10),
    ("64k", 64 << 10),
    ("256k", 256 << 10),
    ("1m", 1 << 20),
    ("4m", 4 << 20),
    ("16m", 16 << 20),
    ("64m", 64 << 20),
    ("256m", 256 << 20),
];

/// The largest, which the files on the virtio disk have.
const LARGEST: (&str, u64) = ("1g", 1 << 30);

/// What raw pins are like.
const STOCK: &str = "pin_user_pages_fast(FOLL_WRITE), unpin_user_pages()";

pub(super) fn measure(session: &Session<'_>) -> Result<()> {
    session.load("pinlease")?;
    session.load("pinbench")?;
    let mut sizes = SIZES.to_vec();
    match session.mode() {
        Mode::Icount => sizes.push(LARGEST),
        Mode::Wall => sizes.truncate(7),
    }
    sizes.truncate(session.either(sizes.len(), 5));
    for (fill, suffix, line) in [
        (Fill::Faulted, "", "small folios"),
        (Fill::Written, "_large", "large folios"),
    ] {
        sizes_of(session, fill, suffix, line, &sizes)?;
    }
    Ok(())
}

fn sizes_of(
    session: &Session<'_>,
    fill: Fill,
    suffix: &str,
    line: &str,
    sizes: &[(&str, u64)],
) -> Result<()> {
    let most = sizes.last().context("no sizes")?.1;
    let pages = most / page_size() as u64;
    let mapped = Mapped::create(&session.dir().join("pins"), pages, fill)?;
    // As the filesystem has it after stores: the raw pins have to find it so, too.
    mapped.touch()?;
    let device = Device::open()?;
    let lease = leased(&device, &mapped)?;
    let bench = Pinbench::open()?;
    for &(size, bytes) in sizes {
        let length = usize::try_from(bytes)?;
        let ours = || pin_and_unpin(&lease, &mapped, length);
        let times = times(session, length);
        let raw = Raw::default();
        let pairs = Pairs::in_turn(
            session.rounds(),
            || {
                each(times, || {
                    bench.pin_and_unpin(mapped.address(0), length, raw)
                })
            },
            || each(times, ours),
        )?;
        let mut figure = pairs.cost(format!("pin_{size}{suffix}"), STOCK, Unit::Ns);
        figure.place = Some(Place {
            plot: "pin".into(),
            line: line.into(),
            x: bytes as f64,
        });
        session.tell(figure)?;
        if matches!(size, "4k" | "64k" | "1m") {
            others(session, &lease, &mapped, &bench, (size, suffix, length))?;
        }
    }
    Ok(())
}

/// Beside what else drivers do today.
fn others(
    session: &Session<'_>,
    lease: &Lease,
    mapped: &Mapped,
    bench: &Pinbench,
    (size, suffix, length): (&str, &str, usize),
) -> Result<()> {
    let times = times(session, length);
    let address = mapped.address(0);
    let ours = || each(times, || pin_and_unpin(lease, mapped, length));
    let dirty = Raw {
        dirty: true,
        ..Raw::default()
    };
    let pairs = Pairs::in_turn(
        session.rounds(),
        || each(times, || bench.pin_and_unpin(address, length, dirty)),
        ours,
    )?;
    session.tell(pairs.cost(
        format!("pin_vs_dirty_{size}{suffix}"),
        "pin_user_pages_fast(FOLL_WRITE), unpin_user_pages_dirty_lock(true)",
        Unit::Ns,
    ))?;
    if suffix.is_empty() {
        let anonymous = Anonymous::new(length)?;
        let longterm = Raw {
            longterm: true,
            ..Raw::default()
        };
        let pairs = Pairs::in_turn(
            session.rounds(),
            || {
                each(times, || {
                    bench.pin_and_unpin(anonymous.address(), length, longterm)
                })
            },
            ours,
        )?;
        session.tell(pairs.cost(
            format!("pin_vs_anonymous_{size}"),
            "pin_user_pages_fast(FOLL_WRITE | FOLL_LONGTERM) of anonymous memory, unpin_user_pages()",
            Unit::Ns,
        ))?;
    }
    let rounds = 0..session.rounds();
    let kernel = rounds.map(|_| bench.gup(address, length, Raw::default(), times));
    session.tell(plain(
        format!("gup_{size}{suffix}"),
        "pin_user_pages_fast(FOLL_WRITE) and unpin_user_pages() in the kernel",
        Unit::Ns,
        kernel.collect::<Result<_>>()?,
    ))
}

/// How often to get a time that can be told from others.
fn times(session: &Session<'_>, length: usize) -> u64 {
    let pages = length.div_ceil(page_size()) as u64;
    (session.either(4096, 512) / pages).clamp(1, 256)
}

fn pin_and_unpin(lease: &Lease, mapped: &Mapped, length: usize) -> Result<()> {
    let pin = lease.pin(mapped.address(0), length, PinOptions::default())?;
    Ok(pin.release()?)
}
