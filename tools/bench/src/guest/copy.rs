// SPDX-License-Identifier: GPL-2.0
//! The copy that a snapshot makes, beside memcpy().

use anyhow::Result;

use super::{
    pinbench::{Pinbench, Way},
    session::Session,
    turns::Pairs,
};
use crate::measured::Unit;

pub(super) const NAMES: &[&str] = &["copy_"];

/// Pages of the largest snapshot that is one bio.
const PAGES: u64 = 256;

pub(super) fn measure(session: &Session<'_>) -> Result<()> {
    session.load("pinbench")?;
    let bench = Pinbench::open()?;
    let repeat = session.either(64, 4);
    for (name, way) in [
        ("copy_vs_memcpy", Way::Pages),
        ("copy_allocated_vs_memcpy", Way::Allocated),
    ] {
        let pairs = Pairs::in_turn(
            session.rounds(),
            || bench.copy(Way::Memory, PAGES, repeat),
            || bench.copy(way, PAGES, repeat),
        )?;
        session.tell(pairs.speed(name, "one memcpy() of as many bytes", Unit::Ns))?;
    }
    Ok(())
}
