// SPDX-License-Identifier: GPL-2.0
//! Whether a consumer gets a file's memory, and what then becomes of the data.

use std::fmt;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{Consumer, Launch, Refusal, Running};
use crate::{
    harness::{Context, Side},
    support::{modules, Census, Fill, Mapped},
};

/// Generations that are written and made durable, one after the other: from the
/// second one on, pages have been cleaned while they were pinned.
const GENERATIONS: u64 = 3;

/// What was found.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Measured {
    /// Whether the program got the memory.
    pub registered: bool,
    /// Whether all that the device had written before each fsync was on the
    /// disk after it, the memory still being pinned.
    pub durable: bool,
    /// What the program said when it did not get the memory; else what was
    /// lost.
    pub detail: String,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self {
                registered: false, ..
            } => write!(f, "refused"),
            Self { durable: false, .. } => write!(f, "registered, lost"),
            _ => write!(f, "registered, durable"),
        }
    }
}

/// Runs `consumer` on a new file, under a lease on the side of pinlease.
///
/// # Errors
///
/// Something else fails, or what the consumer needs is not there
/// ([`Skip`](crate::harness::Skip)).
pub fn measure(context: &Context, consumer: &Consumer, fill: Fill) -> Result<Measured> {
    if context.side != Side::Stock {
        modules::ensure_pinlease(&context.modules)?;
    }
    measure_with(context, consumer, fill, &Launch::of(context))
}

/// The same, started in a way of one's own.
///
/// # Errors
///
/// As [`measure`].
pub(crate) fn measure_with(
    context: &Context,
    consumer: &Consumer,
    fill: Fill,
    launch: &Launch,
) -> Result<Measured> {
    let mut equipment = (consumer.prepare)(context)?;
    let path = context.path(&format!("consumer-{}", consumer.name));
    let mapped = Mapped::create(&path, equipment.layout().file_pages, fill)?;
    let mut running = match Running::start(&mut *equipment, &mapped, launch)? {
        Ok(running) => running,
        Err(Refusal { text, .. }) => {
            return Ok(Measured {
                registered: false,
                durable: false,
                detail: text,
            })
        }
    };
    let mut found = Census::default();
    for generation in 1..=GENERATIONS {
        running.write(generation)?;
        found.add(running.after_fsync(generation)?);
    }
    Ok(Measured {
        registered: true,
        durable: found.all_kept().is_ok(),
        detail: found.to_string(),
    })
}
