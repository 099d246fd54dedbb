// SPDX-License-Identifier: GPL-2.0
//! PIN and UNPIN.

use std::{num::NonZeroUsize, os::fd::AsFd, ptr::NonNull, thread, time::Duration};

use anyhow::{ensure, Context as _, Result};
use nix::{
    errno::Errno,
    sys::mman::{mmap, mmap_anonymous, munmap, MapFlags, ProtFlags},
};
use pinlease::{issue, uapi, PinError, PinOptions, UnpinError};

use super::common::{check_sizes, lease, setup};
use crate::{
    harness::{Context, TestResult},
    support::{
        expect::{errno, one_of},
        extended::with_size,
        page_size, Engine, EngineState, Fill, Mapped,
    },
};

const PAGE: usize = page_size();

fn request(address: *const u8, length: usize) -> uapi::pinlease_pin {
    with_size(uapi::pinlease_pin {
        addr: address.addr() as u64,
        length: length as u64,
        ..Default::default()
    })
}

/// A pin is what was asked for, and counted.
pub fn happy(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    let lease = lease(&device, &mapped)?;
    let first = lease.pin(mapped.address(1), 2 * PAGE, PinOptions::default())?;
    ensure!(first.offset() == PAGE as u64, "offset {}", first.offset());
    let second = lease.pin(mapped.address(0), PAGE, PinOptions { marked: true })?;
    ensure!(
        first.id() != second.id(),
        "both pins are called {}",
        first.id()
    );
    let query = lease.query()?;
    ensure!(
        (query.pins, query.pinned_bytes) == (2, 3 * PAGE as u64),
        "two pins: {query:?}"
    );
    first.release()?;
    second.release()?;
    let query = lease.query()?;
    ensure!(
        (query.pins, query.pinned_bytes) == (0, 0),
        "no pin: {query:?}"
    );
    Ok(())
}

/// The size of the structure, and unknown flags.
pub fn sizes(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    let lease = lease(&device, &mapped)?;
    check_sizes(&lease, request(mapped.address(0), PAGE))?;
    for bit in 1..32 {
        let mut wrong = request(mapped.address(0), PAGE);
        wrong.flags = 1 << bit;
        let result = issue(lease.as_fd(), &mut wrong);
        errno(&format!("flag {bit}"), result, Errno::EINVAL)?;
    }
    Ok(())
}

/// Addresses and lengths that are not whole pages.
pub fn misaligned(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    let lease = lease(&device, &mapped)?;
    let address = mapped.address(0);
    for (offset, length) in [(1, PAGE), (512, PAGE), (0, 0), (0, 1), (0, PAGE + 1)] {
        let mut wrong = request(address.wrapping_add(offset), length);
        let what = format!("address +{offset}, length {length}");
        errno(&what, issue(lease.as_fd(), &mut wrong), Errno::EINVAL)?;
    }
    let mut wrong = request(address, PAGE);
    wrong.length = u64::MAX - PAGE as u64 + 1;
    let expected = [Errno::EINVAL, Errno::EFAULT];
    one_of(
        "length overflows",
        issue(lease.as_fd(), &mut wrong),
        &expected,
    )
}

/// Memory that is not one shared writable mapping.
pub fn mappings(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    let lease = lease(&device, &mapped)?;
    let length = NonZeroUsize::new(4 * PAGE).context("nonzero")?;
    let (read, write) = (ProtFlags::PROT_READ, ProtFlags::PROT_WRITE);
    let map = |protection, flags| -> Result<NonNull<u8>> {
        // SAFETY: a new mapping at an address of the kernel's choice.
        Ok(unsafe { mmap(None, length, protection, flags, &mapped, 0) }?.cast())
    };
    let private = map(read | write, MapFlags::MAP_PRIVATE)?;
    let read_only = map(read, MapFlags::MAP_SHARED)?;
    // SAFETY: as above.
    let anonymous = unsafe { mmap_anonymous(None, length, read | write, MapFlags::MAP_PRIVATE) }?;
    let with_hole = map(read | write, MapFlags::MAP_SHARED)?;
    let hole = with_hole.as_ptr().wrapping_add(2 * PAGE);
    // SAFETY: the page belongs to the mapping made above; nothing refers to it.
    unsafe { munmap(NonNull::new(hole).context("null")?.cast(), PAGE) }?;

    let cases = [
        ("nothing mapped", std::ptr::without_provenance(PAGE), PAGE),
        ("a private mapping", private.as_ptr().cast_const(), PAGE),
        ("a read-only mapping", read_only.as_ptr(), PAGE),
        ("anonymous memory", anonymous.as_ptr().cast(), PAGE),
        ("a mapping with a hole", with_hole.as_ptr(), 4 * PAGE),
        (
            "a kernel address",
            std::ptr::without_provenance(1 << 63),
            PAGE,
        ),
    ];
    for (what, address, length) in cases {
        let result = issue(lease.as_fd(), &mut request(address, length));
        errno(what, result, Errno::EFAULT)?;
    }
    ensure!(lease.query()?.pins == 0, "failed pins are counted");
    Ok(())
}

/// Memory of another file, or outside of the lease.
pub fn outside(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    let other = Mapped::create(&context.path("uapi-other"), 4, Fill::Faulted)?;
    let lease = device
        .lease(&mapped)
        .range(PAGE as u64, 2 * PAGE as u64)
        .policy(pinlease::Policy::Refuse)
        .acquire()?;
    let cases = [
        ("another file", other.address(1), 1),
        ("before the lease", mapped.address(0), 1),
        ("after the lease", mapped.address(3), 1),
        ("across the lease's begin", mapped.address(0), 2),
        ("across the lease's end", mapped.address(2), 2),
    ];
    for (what, address, pages) in cases {
        let result = lease.pin(address, pages * PAGE, PinOptions::default());
        errno(what, result.map_err(PinError::errno), Errno::ENXIO)?;
    }
    let inside = lease.pin(mapped.address(1), 2 * PAGE, PinOptions::default())?;
    Ok(inside.release()?)
}

/// A pin ends once.
pub fn unpin(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    let lease = lease(&device, &mapped)?;
    let pin = || lease.pin(mapped.address(0), PAGE, PinOptions::default());
    let unpin = |id| lease.unpin(id).map_err(UnpinError::errno);
    errno("a pin that never was", unpin(12345), Errno::ENOENT)?;
    let id = pin()?.into_id();
    lease.unpin(id)?;
    errno("a pin that was", unpin(id), Errno::ENOENT)?;

    let argument = with_size(uapi::pinlease_unpin {
        id: pin()?.into_id(),
        ..Default::default()
    });
    let mut wrong = argument;
    wrong.reserved = 1;
    errno("reserved", issue(lease.as_fd(), &mut wrong), Errno::EINVAL)?;
    check_sizes(&lease, argument)?;
    ensure!(lease.query()?.pins == 0, "a pin is left");
    Ok(())
}

/// What a driver uses stays pinned, until it lets go or the lease ends.
pub fn unpin_attached(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    let lease = lease(&device, &mapped)?;
    let id = lease
        .pin(mapped.address(0), PAGE, PinOptions::default())?
        .into_id();
    let engine = Engine::open()?;
    errno(
        "a pin that never was",
        engine.attach(&lease, id + 999),
        Errno::ENOENT,
    )?;
    engine.attach(&lease, id)?;
    let unpin = || lease.unpin(id).map_err(UnpinError::errno);
    errno("a driver uses it", unpin(), Errno::EBUSY)?;
    ensure!(
        lease.query()?.pins == 1,
        "unpinned although a driver uses it"
    );
    drop(engine);
    Ok(unpin()?)
}

/// Of two drivers the second detaches while the first is being stopped: it must
/// not be called afterwards, when its memory is gone.
pub fn detach_while_revoked(context: &Context) -> TestResult {
    const PAUSE: Duration = Duration::from_secs(1);
    /// Enough to get the memory of an engine that was just closed.
    const FRESH: usize = 32;
    let (device, mapped) = setup(context)?;
    for _ in 0..3 {
        let lease = lease(&device, &mapped)?;
        let id = lease
            .pin(mapped.address(0), PAGE, PinOptions::default())?
            .into_id();
        let (slow, quick) = (Engine::open()?, Engine::open()?);
        slow.attach(&lease, id)?;
        quick.attach(&lease, id)?;
        // Stopping it takes as long as it sleeps.
        slow.start(1, PAUSE)?;
        let closing = thread::spawn(move || drop(lease));
        thread::sleep(PAUSE / 4);
        drop(quick);
        let fresh = (0..FRESH)
            .map(|_| Engine::open())
            .collect::<Result<Vec<_>>>()?;
        closing.join().expect("closing the lease panicked");
        let revoked = slow.write_all(2).expect_err("the memory is gone");
        ensure!(
            revoked.downcast_ref() == Some(&Errno::ENODEV),
            "writing to revoked memory: {revoked:#}"
        );
        for engine in fresh {
            ensure!(
                engine.status()?.state != EngineState::Revoked,
                "a driver was called after it had detached: another one has its memory now"
            );
        }
    }
    Ok(())
}
