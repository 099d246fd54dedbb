// SPDX-License-Identifier: GPL-2.0
//! What breaks do to dma-bufs.

use std::{io::Read, os::unix::net::UnixStream, time::Duration};

use anyhow::{ensure, Context as _};
use nix::errno::Errno;
use pinlease::{Policy, State};

use super::common::{durable, file, hold, AGES, LIMIT, PAGES};
use crate::{
    harness::{Context, TestResult},
    support::{
        expect::errno,
        modules::Parameterised,
        process, residue,
        rights::{receive, send},
        Breaking, Engine, EngineState, Fill, Import, Mapped,
    },
};

/// What a policy that acts waits for.
const GRACE: Duration = Duration::from_millis(300);

/// Under *revoke* only importers may come that can be sent away, and they are.
pub fn revoke(context: &Context) -> TestResult {
    for way in [Import::Revocable, Import::Fenced] {
        let mapped = file(context)?;
        let (lease, _, buffer) = hold(&mapped, Policy::Revoke, GRACE)?;
        let refused = Engine::open()?.import(&buffer, Import::Static);
        errno("an importer that stays", refused, Errno::EOPNOTSUPP)?;
        let engine = Engine::open()?;
        engine.import(&buffer, way)?;
        engine.start(1, Duration::ZERO)?;
        engine.wait_passes(1)?;
        let breaking = Breaking::truncate(mapped.path(), 0)?;
        let broken = breaking.end(LIMIT)?;
        broken.result()?;
        let took = broken.took();
        ensure!(took >= GRACE && took < AGES, "{way:?}: {took:?}");
        let status = engine.status()?;
        ensure!(status.state == EngineState::Revoked, "{way:?}: {status:?}");
        let query = lease.query()?;
        ensure!(
            query.state == State::Withdrawn && query.pins == 0 && query.exports == 0,
            "{way:?}: {query:?}"
        );
    }
    residue::none_left()
}

/// Under *kill* others may come; the breaker passes when the holder, and with it
/// the importer, is gone.
pub fn kill(context: &Context) -> TestResult {
    for way in [Import::Static, Import::Fenced] {
        let mapped = file(context)?;
        let (ours, theirs) = UnixStream::pair()?;
        let leased = &mapped;
        let holder = process::spawn(move || {
            let (_lease, _, buffer) = hold(leased, Policy::Kill, GRACE)?;
            let engine = Engine::open()?;
            engine.import(&buffer, way)?;
            engine.start(1, Duration::ZERO)?;
            send(&theirs, leased)?;
            (&theirs).read_exact(&mut [0])?;
            anyhow::bail!("not killed")
        })?;
        drop(receive(&ours)?);
        let breaking = Breaking::truncate(mapped.path(), 0)?;
        let broken = breaking.end(LIMIT)?;
        broken.result()?;
        ensure!(broken.took() >= GRACE, "{way:?}: {:?}", broken.took());
        holder
            .wait_killed(LIMIT)
            .with_context(|| format!("{way:?}, the holder"))?;
    }
    residue::none_left()
}

/// Where the importer is in another process, killing the holder does not help: the
/// breaker gets EBUSY in the end, what the device writes is not lost, and all ends
/// with the importer.
pub fn kill_elsewhere(context: &Context) -> TestResult {
    let _loaded = Parameterised::load(&context.modules, c"grace_max_ms=700")?;
    let mapped = Mapped::create(&context.path("dmabuf"), PAGES, Fill::Faulted)?;
    let (ours, theirs) = UnixStream::pair()?;
    let leased = &mapped;
    let holder = process::spawn(move || {
        let (_lease, _, buffer) = hold(leased, Policy::Kill, GRACE)?;
        send(&theirs, &buffer)?;
        (&theirs).read_exact(&mut [0])?;
        anyhow::bail!("not killed")
    })?;
    let buffer = receive(&ours)?;
    let engine = Engine::open()?;
    engine.import(&buffer, Import::Static)?;
    let breaking = Breaking::truncate(mapped.path(), 0)?;
    let broken = breaking.end(LIMIT)?;
    errno("the breaker", broken.result(), Errno::EBUSY)?;
    holder.wait_killed(LIMIT).context("the holder")?;
    engine.write_all(3)?;
    durable(&mapped, 3)?;
    drop(engine);
    residue::none_left()?;
    mapped.file().set_len(0)?;
    drop(buffer);
    Ok(())
}
