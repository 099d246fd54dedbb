// SPDX-License-Identifier: GPL-2.0
//! The same while others keep the filesystem and the memory busy, with a break:
//! hooks come and go under calls that are in the hooked functions.

use std::{fs::File, os::unix::fs::FileExt, time::Duration};

use anyhow::{ensure, Context as _};
use pinlease::{Device, PinOptions, Policy};

use super::balanced;
use crate::{
    harness::{Context, Side, TestResult},
    support::{
        modules, page_size,
        process::{spawn, Tied},
        sysctl::drop_caches,
        Engine, Fill, Mapped,
    },
};

/// From a break to the revocation.
const GRACE: Duration = Duration::from_millis(20);

/// Writers beside.
const WRITERS: usize = 2;

/// A process that never ends by itself.
fn noise(mut round: impl FnMut() -> TestResult) -> anyhow::Result<Tied> {
    Tied::spawn(|| loop {
        round()?;
    })
}

/// `--cycles` rounds.
pub fn under_load(context: &Context) -> TestResult {
    modules::unload_all()?;
    let mut others = Vec::new();
    for number in 0..WRITERS {
        let file = File::create(context.path(&format!("noise-{number}")))?;
        let data = vec![number as u8; 64 * page_size()];
        others.push(noise(move || {
            file.write_all_at(&data, 0)?;
            file.sync_data()?;
            file.set_len(data.len() as u64 / 2)?;
            Ok(())
        })?);
    }
    others.push(noise(|| {
        drop_caches()?;
        std::thread::sleep(Duration::from_millis(100));
        Ok(())
    })?);
    for number in 0..context.cycles {
        round(context).with_context(|| format!("round {number}"))?;
    }
    drop(others);
    balanced()
}

/// One lease from insmod to rmmod, which a truncation breaks.
fn round(context: &Context) -> TestResult {
    modules::ensure(&context.modules, Side::Pinlease)?;
    let mapped = Mapped::create(&context.path("cycle"), context.pages, Fill::Faulted)?;
    let lease = Device::open()?
        .lease(&mapped)
        .policy(Policy::Revoke)
        .grace(GRACE)
        .acquire()?;
    let pin = lease
        .pin(mapped.address(0), mapped.length(), PinOptions::default())?
        .into_id();
    let engine = Engine::open()?;
    engine.attach(&lease, pin)?;
    engine.start(1, Duration::from_millis(1))?;
    engine.wait_passes(1)?;
    mapped.file().sync_all().context("fsync")?;
    let cut = mapped.length() as u64 / 2;
    spawn(|| nix::unistd::truncate(mapped.path(), cut as i64).context("truncate"))?.join()?;
    ensure!(
        mapped.file().metadata()?.len() == cut,
        "the file is not cut"
    );
    drop((engine, lease, mapped));
    modules::unload_all()
}
