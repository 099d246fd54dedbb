// SPDX-License-Identifier: GPL-2.0
//! Who may pin what: exactly who may, and as on the stock kernel else.

use std::thread;

use anyhow::{ensure, Context as _, Result};
use nix::errno::Errno;
use pinlease::{AcquireError, Device, Policy, State};

use super::{file, grant, pins, pins_pages, refused, AGES, PAGE};
use crate::{
    harness::{Context, Test, TestResult},
    support::{
        channel::channel, expect::errno, page_size, process, residue::none_left, Breaking, Fill,
        Mapped, Window,
    },
};

pub const TESTS: &[Test] = &[
    Test::new("grants.no-lease", no_lease),
    Test::new("grants.no-flag", no_flag),
    Test::new("grants.covered", covered),
    Test::new("grants.mapping-longer", mapping_longer),
    Test::new("grants.threads", threads),
    Test::new("grants.other-process", other_process),
    Test::new("grants.fork", forked),
    Test::new("grants.read-only", read_only),
    Test::new("grants.private", private),
    Test::new("grants.closed", closed),
    Test::new("grants.breaking", breaking),
    Test::new("grants.shrunk", shrunk),
    Test::new("grants.revoke", revoke),
    Test::new("grants.other-file", other_file),
];

const PAGES: u64 = 16;

/// The control: without a lease GUP refuses.
fn no_lease(context: &Context) -> TestResult {
    let mapped = file(context, PAGES)?;
    refused("no lease", mapped.address(0), PAGES)?;
    // Hooks are there, and a lease of another file.
    let other = Mapped::create(&context.path("leased"), PAGES, Fill::Written)?;
    let _lease = grant(&other, 0..PAGES, Policy::Refuse)?;
    refused("a lease elsewhere", mapped.address(0), PAGES)
}

/// A lease without the flag is for PIN alone.
fn no_flag(context: &Context) -> TestResult {
    let mapped = file(context, PAGES)?;
    let lease = Device::open()?
        .lease(&mapped)
        .policy(Policy::Refuse)
        .acquire()?;
    refused("a lease without a grant", mapped.address(0), PAGES)?;
    let query = lease.query()?;
    ensure!(!query.grant && query.granted_bytes == 0, "{query:?}");
    Ok(())
}

/// All of the mapping's pages, by one lease or by several.
fn covered(context: &Context) -> TestResult {
    let mapped = file(context, PAGES)?;
    let table: &[(&[(u64, u64)], bool)] = &[
        (&[(0, 16)], true),
        (&[(0, 8), (8, 16)], true),
        (&[(8, 16), (0, 8)], true),
        (&[(0, 10), (6, 16)], true),
        (&[(0, 16), (3, 5)], true),
        (&[(0, 15)], false),
        (&[(1, 16)], false),
        (&[(0, 8), (9, 16)], false),
        (&[(0, 4), (2, 8), (12, 16)], false),
    ];
    for (ranges, may) in table {
        let leases: Result<Vec<_>> = ranges
            .iter()
            .map(|&(first, end)| grant(&mapped, first..end, Policy::Refuse))
            .collect();
        let leases = leases?;
        if *may {
            let engine = pins(mapped.address(0), PAGES).with_context(|| format!("{ranges:?}"))?;
            let query = leases[0].query()?;
            ensure!(
                query.grant && query.granted_bytes == query.length && query.pins == 0,
                "{ranges:?}: {query:?}"
            );
            drop(engine);
            ensure!(
                leases[0].query()?.granted_bytes == 0,
                "still pinned: {ranges:?}"
            );
        } else {
            refused(&format!("{ranges:?}"), mapped.address(0), PAGES)?;
            // One page of it is not more than all of it.
            refused(&format!("a page of {ranges:?}"), mapped.address(2), 1)?;
        }
    }
    Ok(())
}

/// A lease ends with the file; a mapping that does not is not covered.
fn mapping_longer(context: &Context) -> TestResult {
    let mapped = file(context, PAGES)?;
    let _lease = grant(&mapped, 0..PAGES, Policy::Refuse)?;
    let longer = Window::new(mapped.file(), 0, (PAGES as usize + 1) * page_size())?;
    refused("a mapping beyond the file", longer.address(), PAGES)?;
    let part = Window::new(mapped.file(), 4 * PAGE, 4 * page_size())?;
    pins(part.address(), 4).context("a mapping of a part")?;
    Ok(())
}

/// The holder is a process, not a thread.
fn threads(context: &Context) -> TestResult {
    let mapped = file(context, PAGES)?;
    let _lease = grant(&mapped, 0..PAGES, Policy::Refuse)?;
    let address = mapped.address(0).addr();
    let pinned = thread::spawn(move || pins(std::ptr::without_provenance(address), PAGES).is_ok());
    ensure!(pinned.join().unwrap_or(false), "another thread may not pin");
    Ok(())
}

/// Nobody else's lease helps, also not with a copy of its descriptor.
fn other_process(context: &Context) -> TestResult {
    let mapped = file(context, PAGES)?;
    let (ready, mut is_ready) = channel::<()>()?;
    let (done, mut is_done) = channel::<()>()?;
    let holder = process::spawn(|| {
        let _lease = grant(&mapped, 0..PAGES, Policy::Refuse)?;
        ready.send(&())?;
        is_done.receive(AGES).map(drop)
    })?;
    is_ready.receive(AGES)?;
    refused("the lease of another process", mapped.address(0), PAGES)?;
    done.send(&())?;
    holder.join()
}

/// A child has the descriptor and the mapping, but it is not the holder; what
/// the parent has pinned does not help it.
fn forked(context: &Context) -> TestResult {
    let mapped = file(context, PAGES)?;
    let _lease = grant(&mapped, 0..PAGES, Policy::Refuse)?;
    let _engine = pins(mapped.address(0), PAGES)?;
    process::spawn(|| refused("a child", mapped.address(0), PAGES))?.join()?;
    // The other way round: the child's lease is not the parent's.
    process::spawn(|| {
        let _own = grant(&mapped, 0..PAGES, Policy::Refuse)?;
        pins(mapped.address(0), PAGES).context("a child with a lease of its own")?;
        Ok(())
    })?
    .join()
}

/// What cannot be written through cannot be pinned for writing.
fn read_only(context: &Context) -> TestResult {
    let mapped = file(context, PAGES)?;
    let _lease = grant(&mapped, 0..PAGES, Policy::Refuse)?;
    let window = Window::new(mapped.file(), 0, PAGES as usize * page_size())?;
    // SAFETY: nothing refers to the mapping but raw pointers.
    let result = unsafe {
        libc::mprotect(
            window.address().cast(),
            PAGES as usize * page_size(),
            libc::PROT_READ,
        )
    };
    Errno::result(result)?;
    refused("a read-only mapping", window.address(), PAGES)
}

/// A private mapping has copies, with and without a lease.
fn private(context: &Context) -> TestResult {
    let mapped = file(context, PAGES)?;
    let pinned = |what: &str| -> TestResult {
        // SAFETY: a new mapping at an address of the kernel's choice.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                page_size(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE,
                std::os::fd::AsRawFd::as_raw_fd(mapped.file()),
                0,
            )
        };
        ensure!(address != libc::MAP_FAILED, "mmap: {}", Errno::last());
        let engine = pins(address.cast(), 1).with_context(|| what.to_owned())?;
        engine.write_all(7)?;
        drop(engine);
        // SAFETY: it is ours.
        unsafe { libc::munmap(address, page_size()) };
        Ok(())
    };
    pinned("without a lease")?;
    let lease = grant(&mapped, 0..PAGES, Policy::Refuse)?;
    pinned("under a lease")?;
    ensure!(
        lease.query()?.granted_bytes == 0,
        "the file's pages are pinned"
    );
    Ok(())
}

/// A lease that is closed gives no right, though it drains.
fn closed(context: &Context) -> TestResult {
    let mapped = file(context, PAGES)?;
    let lease = grant(&mapped, 0..PAGES, Policy::Refuse)?;
    let engine = pins(mapped.address(0), PAGES)?;
    drop(lease);
    refused("a closed lease", mapped.address(0), PAGES)?;
    drop(engine);
    none_left()?;
    refused("an ended lease", mapped.address(0), PAGES)
}

/// Nor does one that is being broken; it does again when that is over.
fn breaking(context: &Context) -> TestResult {
    let mapped = file(context, PAGES)?;
    let lease = grant(&mapped, 0..PAGES, Policy::Block)?;
    let breaker = Breaking::truncate(mapped.path(), 0)?;
    let is_breaking = || Ok(lease.query()?.state == State::Breaking);
    crate::support::proc::wait_for("the break", AGES, is_breaking)?;
    refused("a lease that is broken", mapped.address(0), PAGES)?;
    breaker.signal(nix::sys::signal::Signal::SIGUSR1)?;
    errno("truncate", breaker.end(AGES)?.result(), Errno::EINTR)?;
    pins(mapped.address(0), PAGES).context("after the break")?;
    Ok(())
}

/// What is given back is not covered; what others pin cannot be given back.
fn shrunk(context: &Context) -> TestResult {
    let mapped = file(context, PAGES)?;
    let lease = grant(&mapped, 0..PAGES, Policy::Refuse)?;
    let engine = pins(mapped.address(0), PAGES)?;
    let shrinks = || lease.shrink(0, 8 * PAGE).map_err(|error| error.errno());
    errno("SHRINK", shrinks(), Errno::EBUSY)?;
    drop(engine);
    shrinks()?;
    refused("more than is left", mapped.address(0), PAGES)?;
    pins_pages(&mapped, 0..8).context("what is left")?;
    Ok(())
}

/// Nobody can take the pins of others away.
fn revoke(context: &Context) -> TestResult {
    let mapped = file(context, PAGES)?;
    let acquired = Device::open()?
        .lease(&mapped)
        .policy(Policy::Revoke)
        .grant(true)
        .acquire();
    errno(
        "revoke",
        acquired.map(drop).map_err(AcquireError::errno),
        Errno::EOPNOTSUPP,
    )
}

/// A mapping of two files' pages is two mappings.
fn other_file(context: &Context) -> TestResult {
    let mapped = file(context, PAGES)?;
    let other = Mapped::create(&context.path("other"), PAGES, Fill::Written)?;
    let lease = grant(&mapped, 0..PAGES, Policy::Refuse)?;
    refused("another file", other.address(0), PAGES)?;
    let second = grant(&other, 0..PAGES, Policy::Refuse)?;
    pins(other.address(0), PAGES)?;
    drop((lease, second));
    none_left()
}
