// SPDX-License-Identifier: GPL-2.0
//! Root of a user namespace is root of nothing else: what needs a capability
//! needs it in the first namespace.

use std::{fs, os::unix::fs::fchown, time::Duration};

use anyhow::{ensure, Context as _, Result};
use nix::{
    errno::Errno,
    sched::{unshare, CloneFlags},
    sys::{
        prctl,
        resource::{setrlimit, Resource},
    },
    unistd::{geteuid, truncate},
};
use pinlease::{AcquireError, Device, EventKind, Lease, PinError, PinOptions, Policy, ReadError};

use crate::{
    harness::{Context, TestResult},
    support::{
        channel::{channel, Receiver, Sender},
        expect::errno,
        modules::Parameterised,
        page_size,
        process::{self, Forked},
        residue, Breaking, Fill, Handler, Mapped,
    },
};

const PAGE: usize = page_size();
const PAGES: u64 = 8;
const LIMIT: Duration = Duration::from_secs(15);
const MAXIMUM: Duration = Duration::from_millis(800);

/// Runs `run` as root of new user and pid namespaces that user nobody made.
fn as_their_root(run: impl FnOnce() -> Result<()>) -> Result<Forked> {
    process::spawn(|| {
        process::become_nobody()?;
        // Else its own files in /proc are root's.
        prctl::set_dumpable(true)?;
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWPID).context("unshare")?;
        fs::write("/proc/self/setgroups", "deny")?;
        for map in ["uid_map", "gid_map"] {
            fs::write(
                format!("/proc/self/{map}"),
                format!("0 {} 1", process::NOBODY),
            )?;
        }
        process::spawn(|| {
            ensure!(geteuid().is_root(), "not root of the namespace");
            run()
        })?
        .join()
    })
}

struct Files {
    /// Root's.
    roots: Mapped,
    /// Theirs.
    own: Mapped,
}

impl Files {
    fn new(context: &Context) -> Result<Self> {
        let create = |name: &str| Mapped::create(&context.path(name), PAGES, Fill::Faulted);
        let files = Self {
            roots: create("roots")?,
            own: create("own")?,
        };
        let nobody = Some(process::NOBODY);
        fchown(files.own.file(), nobody, nobody)?;
        Ok(files)
    }
}

fn acquire(device: &Device, mapped: &Mapped, grace: Duration) -> Result<Lease, AcquireError> {
    let lease = device.lease(mapped).policy(Policy::Revoke);
    lease.grace(grace).acquire()
}

/// Limits bind it, and it may lease its own files only.
pub fn limits(context: &Context) -> TestResult {
    let modules = Parameterised::load(&context.modules, c"grace_max_ms=800 leases_per_user=3")?;
    let files = Files::new(context)?;
    let device = Device::open()?;
    let theirs = as_their_root(|| {
        let acquire = |mapped, grace| acquire(&device, mapped, grace);
        let refused = acquire(&files.roots, MAXIMUM).map_err(AcquireError::errno);
        errno("CAP_LEASE over root's file", refused, Errno::EACCES)?;
        let longer = MAXIMUM + Duration::from_millis(1);
        let refused = acquire(&files.own, longer).map_err(AcquireError::errno);
        errno("CAP_SYS_RESOURCE over the grace", refused, Errno::EPERM)?;

        let lease = acquire(&files.own, MAXIMUM).context("its own file")?;
        let limit = 3 * PAGE as u64;
        setrlimit(Resource::RLIMIT_MEMLOCK, limit, limit)?;
        let pin = |pages| lease.pin(files.own.address(0), pages * PAGE, PinOptions::default());
        let refused = pin(4).map_err(PinError::errno);
        errno("CAP_IPC_LOCK over RLIMIT_MEMLOCK", refused, Errno::ENOMEM)?;
        pin(3).context("within RLIMIT_MEMLOCK")?.release()?;

        let _more = [
            acquire(&files.own, MAXIMUM).context("the second lease")?,
            acquire(&files.own, MAXIMUM).context("the third lease")?,
        ];
        let refused = acquire(&files.own, MAXIMUM).map_err(AcquireError::errno);
        errno("a fourth lease", refused, Errno::EDQUOT)?;
        Ok(())
    })?;
    theirs.join()?;
    residue::none_left()?;
    drop(device);
    drop(modules);
    Ok(())
}

/// It sees neither processes nor files nor events of others.
pub fn sees(context: &Context) -> TestResult {
    context.load_modules()?;
    let files = Files::new(context)?;
    let device = Device::open()?;
    let (tell, mut told) = channel::<u32>()?;
    let (order, mut orders) = channel::<u32>()?;
    let roots = device
        .lease(&files.roots)
        .policy(Policy::Refuse)
        .grant(true);
    let roots = roots.acquire().context("root's lease")?;
    let _pin = roots.pin(files.roots.address(0), PAGE, PinOptions::default())?;
    let id = roots.query()?.id;
    let theirs = as_their_root(|| look(&device, &files, id, &tell, &mut orders))?;
    told.receive(LIMIT)?.context("it does not watch")?;
    // Of these it must not learn.
    for _ in 0..3 {
        drop(acquire(&device, &files.roots, MAXIMUM)?);
    }
    order.send(&1)?;
    theirs.join()
}

fn look(
    device: &Device,
    files: &Files,
    roots: u64,
    tell: &Sender<u32>,
    orders: &mut Receiver<u32>,
) -> Result<()> {
    let seen = device
        .lease_info(roots)?
        .context("root's lease is not listed")?;
    ensure!(
        seen.pid.is_none() && seen.comm.is_empty(),
        "it sees root's process: {seen:?}"
    );
    ensure!(
        seen.path.is_none(),
        "it sees where root's file is: {seen:?}"
    );
    ensure!(
        seen.granted_bytes == 0,
        "it sees what root's file has pinned: {seen:?}"
    );
    ensure!(
        seen.uid == process::NOBODY,
        "root is user {} and not the overflow user",
        seen.uid
    );

    let watch = device.watch()?;
    tell.send(&1)?;
    orders.receive(LIMIT)?.context("no order")?;
    let lease = acquire(device, &files.own, MAXIMUM)?;
    let id = lease.query()?.id;
    let event = watch.read_event()?;
    ensure!(
        event.kind == EventKind::Acquired && event.lease == id,
        "an event of somebody else's lease, its own is {id}: {event:?}"
    );
    let seen = device.lease_info(id)?.context("its lease is not listed")?;
    ensure!(
        seen.path.is_some() && seen.uid == 0,
        "it does not see its own: {seen:?}"
    );
    watch.set_nonblocking(true)?;
    let more = watch.read_event();
    ensure!(more == Err(ReadError::WouldBlock), "more events: {more:?}");
    Ok(())
}

/// It makes others wait with the policy to block no longer than other users may.
pub fn blocks(context: &Context) -> TestResult {
    let modules = Parameterised::load(&context.modules, c"grace_max_ms=800")?;
    let files = Files::new(context)?;
    let device = Device::open()?;
    let (tell, mut told) = channel::<u32>()?;
    let (order, mut orders) = channel::<u32>()?;
    let theirs = as_their_root(|| {
        let lease = device.lease(&files.own).policy(Policy::Block);
        let _lease = lease.acquire().context("block")?;
        tell.send(&1)?;
        orders.receive(4 * LIMIT).map(drop)
    })?;
    told.receive(LIMIT)?.context("it has no lease")?;
    let roots = Breaking::begin(Handler::Interrupts, || truncate(files.own.path(), 0))?;
    let broken = roots.end(LIMIT)?;
    errno("root's truncate", broken.result(), Errno::EBUSY)?;
    ensure!(
        broken.took() >= MAXIMUM && broken.took() < 6 * MAXIMUM,
        "gave up after {:?}",
        broken.took()
    );
    order.send(&1)?;
    theirs.join()?;
    residue::none_left()?;
    drop(device);
    drop(modules);
    Ok(())
}
