// SPDX-License-Identifier: GPL-2.0
//! read(2), poll(2) and epoll(7).

use std::{os::fd::AsFd, thread, time::Duration};

use anyhow::{ensure, Context as _, Result};
use nix::{
    errno::Errno,
    poll::{poll, PollFd, PollFlags, PollTimeout},
    sys::{
        epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
        signal::{kill, Signal},
    },
    unistd::{read, Pid},
};
use pinlease::{monotonic, uapi, EventKind, Lease, Policy, ReadError};

use super::Own;
use crate::{
    harness::{Context, TestResult},
    support::{expect::errno, handle_usr1, process, Handler},
};

/// Long enough to see that somebody waits.
const WHILE: Duration = Duration::from_millis(150);

const RECORD: usize = size_of::<uapi::pinlease_event>();

/// A reader waits for an event, or for a signal, or not at all.
pub fn blocking(context: &Context) -> TestResult {
    let own = Own::new(context)?;
    let lease = own.lease(Policy::Refuse, Duration::ZERO)?;
    lease.set_nonblocking(true)?;
    let result = lease.read_event();
    ensure!(
        result == Err(ReadError::WouldBlock),
        "O_NONBLOCK: {result:?}"
    );
    lease.set_nonblocking(false)?;

    let begin = monotonic();
    let child = process::spawn(|| {
        thread::sleep(WHILE);
        let _ = own.cut_here();
        Ok(())
    })?;
    let event = lease.read_event()?;
    child.join()?;
    ensure!(event.kind == EventKind::Refused, "{event:?}");
    ensure!(
        event.time >= begin + WHILE,
        "read before anything happened: {event:?}"
    );

    handle_usr1(Handler::Interrupts)?;
    let reader = Pid::this();
    let child = process::spawn(|| {
        thread::sleep(WHILE);
        Ok(kill(reader, Signal::SIGUSR1)?)
    })?;
    let result = lease.read_event();
    child.join()?;
    ensure!(
        result == Err(ReadError::Interrupted),
        "a signal while reading: {result:?}"
    );
    Ok(())
}

/// Room for less than one record, for one, and for several.
pub fn sizes(context: &Context) -> TestResult {
    let own = Own::new(context)?;
    let lease = own.lease(Policy::Refuse, Duration::ZERO)?;
    lease.set_nonblocking(true)?;
    for _ in 0..5 {
        errno("a breaker", own.cut_here(), Errno::ETXTBSY)?;
    }
    let mut buffer = [0; 8 * RECORD];
    for short in [1, RECORD - 1] {
        let result = read(&lease, &mut buffer[..short]);
        errno(&format!("room for {short} bytes"), result, Errno::EINVAL)?;
    }
    // What did not fit is still there.
    for (room, expected) in [(RECORD, 1), (3 * RECORD - 1, 2), (8 * RECORD, 2)] {
        let length = read(&lease, &mut buffer[..room])?;
        ensure!(
            length == expected * RECORD,
            "{length} bytes with room for {room}, expected {expected} records of {RECORD}"
        );
        for record in buffer[..length].chunks_exact(RECORD) {
            let size = u32::from_ne_bytes(record[..4].try_into()?);
            let kind = u32::from_ne_bytes(record[4..8].try_into()?);
            ensure!(
                size as usize == RECORD && kind == uapi::PINLEASE_EVENT_REFUSED,
                "a record of size {size}, kind {kind}"
            );
        }
    }
    errno("read to the end", read(&lease, &mut buffer), Errno::EAGAIN)
}

/// Readiness comes with the first event and goes with the last.
pub fn polling(context: &Context) -> TestResult {
    let own = Own::new(context)?;
    let lease = own.lease(Policy::Refuse, Duration::ZERO)?;
    lease.set_nonblocking(true)?;
    let wanted = PollFlags::POLLIN | PollFlags::POLLPRI;
    ensure!(ready(&lease)?.is_empty(), "ready before any event");

    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let both = EpollFlags::EPOLLIN | EpollFlags::EPOLLPRI;
    epoll.add(&lease, EpollEvent::new(both | EpollFlags::EPOLLET, 7))?;
    let mut events = [EpollEvent::empty(); 2];
    let mut epolled = |limit: u16| epoll.wait(&mut events, EpollTimeout::from(limit));
    ensure!(epolled(0)? == 0, "epoll: ready before any event");

    for _ in 0..2 {
        errno("a breaker", own.cut_here(), Errno::ETXTBSY)?;
        // Each event is an edge.
        ensure!(epolled(5000)? == 1, "epoll does not wake");
        ensure!(epolled(0)? == 0, "epoll wakes twice for one event");
    }
    ensure!(
        events[0].data() == 7 && events[0].events() == both,
        "{events:?}"
    );
    ensure!(ready(&lease)? == wanted, "poll: {:?}", ready(&lease)?);
    lease.read_event()?;
    ensure!(ready(&lease)? == wanted, "not ready with one event left");
    lease.read_event()?;
    ensure!(ready(&lease)?.is_empty(), "ready when all is read");

    // One who waits is woken.
    let child = process::spawn(|| {
        thread::sleep(WHILE);
        let _ = own.cut_here();
        Ok(())
    })?;
    let mut fds = [PollFd::new(lease.as_fd(), PollFlags::POLLPRI)];
    let woken = poll(&mut fds, PollTimeout::from(5000_u16))?;
    child.join()?;
    ensure!(woken == 1, "poll(2) for POLLPRI was not woken");
    Ok(())
}

fn ready(lease: &Lease) -> Result<PollFlags> {
    let mut fds = [PollFd::new(
        lease.as_fd(),
        PollFlags::POLLIN | PollFlags::POLLPRI | PollFlags::POLLOUT,
    )];
    poll(&mut fds, PollTimeout::ZERO)?;
    fds[0].revents().context("unknown flags")
}
