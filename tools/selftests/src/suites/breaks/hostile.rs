// SPDX-License-Identifier: GPL-2.0
//! Callers that mean no good: random commands on descriptors of every kind,
//! from several threads and processes, while others close and break.

use std::{
    fs::{File, OpenOptions},
    os::{
        fd::{AsRawFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    sync::atomic::{AtomicBool, AtomicI32, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use fastrand::Rng;
use nix::{
    errno::Errno,
    sys::{
        epoll::{Epoll, EpollCreateFlags},
        eventfd::EventFd,
        signal::{kill, Signal},
        wait::WaitStatus,
    },
    unistd::gettid,
};
use pinlease::{map_shared, uapi, Device, Policy};

use crate::{
    harness::{Context, Test, TestResult},
    support::{breakers, handle_usr1, page_size, process, residue, Fill, Handler, Mapped},
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[Test::new("breaks.hostile", hostile).seconds(180)];

const PAGE: u64 = page_size() as u64;
const PAGES: u64 = 32;

/// Hostile processes, and threads of each.
const PROCESSES: u64 = 3;
const THREADS: u64 = 3;

/// Descriptors that a process has open at most.
const OPEN: usize = 40;

/// Runs them for a while; then all must be as before.
fn hostile(context: &Context) -> TestResult {
    context.load_modules()?;
    let seed = context.seed();
    println!("seed {seed}");
    let mapped = Mapped::create(&context.path("hostile"), PAGES, Fill::Faulted)?;
    let end = Instant::now() + Duration::from_secs(context.hostile_seconds);
    let mut children = Vec::new();
    for number in 0..PROCESSES {
        let seed = seed.wrapping_add(1000 * number);
        children.push(process::spawn(|| {
            // What leases itself with policy kill may be killed: by others.
            Attacker::new(&mapped, seed)?.run(end)
        })?);
    }
    let breaker = process::spawn(|| break_it(&mapped, seed, end))?;
    let mut calls = 0;
    for child in children {
        match child.wait(Duration::from_secs(context.hostile_seconds + 60))? {
            WaitStatus::Exited(_, 0) => calls += 1,
            WaitStatus::Signaled(_, Signal::SIGKILL | Signal::SIGBUS, _) => {}
            other => anyhow::bail!("seed {seed}: a hostile process ended with {other:?}"),
        }
    }
    println!("{calls} of {PROCESSES} hostile processes lived to the end");
    // Everything that could have made it wait is gone.
    let limit = Duration::from_secs(30);
    breaker
        .wait(limit)
        .context("the breaker of a hostile file")?;
    residue::none_left().with_context(|| format!("seed {seed}"))?;
    // The breaker has left the file with its size.
    let device = Device::open()?;
    let lease = device.lease(&mapped).policy(Policy::Refuse);
    lease.acquire().context("a well-behaved caller").map(drop)
}

/// Breaks, is interrupted, and repairs the file's size.
fn break_it(mapped: &Mapped, seed: u64, end: Instant) -> TestResult {
    let mut random = Rng::with_seed(seed ^ 0x5eed);
    handle_usr1(Handler::Interrupts)?;
    let me = nix::unistd::Pid::this();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Nothing may keep it for ever, not even policy block.
            while !stop.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(300));
                let _ = kill(me, Signal::SIGUSR1);
            }
        });
        while Instant::now() < end {
            let offset = random.u64(0..PAGES * PAGE);
            let here: Vec<_> = breakers::BREAKERS
                .iter()
                .filter(|breaker| breaker.prepare.is_none() && breaker.name != "swapon")
                .collect();
            let breaker = here[random.usize(..here.len())];
            let _ = (breaker.run)(&breakers::Target {
                file: mapped.file(),
                path: mapped.path(),
                flags: 0,
                offset: offset / PAGE * PAGE,
                length: PAGE,
            });
            let _ = mapped.file().set_len(PAGES * PAGE);
        }
        stop.store(true, Ordering::Relaxed);
    });
    Ok(())
}

/// Descriptors that several threads use and close.
struct Attacker {
    // Numbers, not owners: the threads close each other's, too.
    fds: Vec<AtomicI32>,
    address: usize,
    file: RawFd,
    device: RawFd,
    seed: u64,
}

impl Attacker {
    fn new(mapped: &Mapped, seed: u64) -> Result<Self> {
        let attacker = Self {
            fds: (0..OPEN).map(|_| (-1).into()).collect(),
            address: map_shared(mapped, 0, mapped.length())?.as_ptr().addr(),
            file: mapped.file().as_raw_fd(),
            device: into_raw(
                File::options()
                    .read(true)
                    .write(true)
                    .open("/dev/pinlease")?,
            ),
            seed,
        };
        for (slot, fd) in Self::zoo()?.into_iter().enumerate() {
            attacker.fds[slot].store(fd, Ordering::Relaxed);
        }
        Ok(attacker)
    }

    /// Descriptors of many kinds.
    fn zoo() -> Result<Vec<RawFd>> {
        let (one, other) = UnixStream::pair()?;
        let (read, write) = nix::unistd::pipe()?;
        Ok(vec![
            into_raw(File::open("/dev/null")?),
            into_raw(File::open("/dev/zero")?),
            into_raw(File::open("/")?),
            into_raw(File::open("/proc/self/maps")?),
            into_raw(one),
            into_raw(other),
            into_raw(read),
            into_raw(write),
            into_raw(Epoll::new(EpollCreateFlags::empty())?.0),
            into_raw(OwnedFd::from(EventFd::new()?)),
            into_raw(
                OpenOptions::new()
                    .read(true)
                    .write(true)
                    .open("/dev/dmasim")?,
            ),
        ])
    }

    fn run(&self, end: Instant) -> TestResult {
        handle_usr1(Handler::Interrupts)?;
        let threads: Vec<AtomicI32> = (0..THREADS).map(|_| 0.into()).collect();
        thread::scope(|scope| {
            for (number, thread) in (0..).zip(&threads) {
                let random = Rng::with_seed(self.seed.wrapping_add(number));
                scope.spawn(move || {
                    thread.store(gettid().as_raw(), Ordering::Relaxed);
                    self.attack(random, end);
                    thread.store(-1, Ordering::Relaxed);
                });
            }
            // One may read from what another has just made to wait.
            thread::sleep(end.saturating_duration_since(Instant::now()));
            while threads
                .iter()
                .any(|thread| wake(thread.load(Ordering::Relaxed)))
            {
                thread::sleep(Duration::from_millis(50));
            }
        });
        Ok(())
    }

    fn attack(&self, mut random: Rng, end: Instant) {
        while Instant::now() < end {
            match random.u32(0..20) {
                0..6 => self.acquire(&mut random),
                6..10 => self.pin(&mut random),
                10..12 => self.close(&mut random),
                12..14 => self.read(&mut random),
                14 => self.attach(&mut random),
                15 => self.watch(),
                _ => self.nonsense(&mut random),
            }
        }
    }

    fn some(&self, random: &mut Rng) -> RawFd {
        match random.u32(0..8) {
            0 => random.i32(-2..64),
            1 => self.file,
            2 => self.device,
            _ => self.fds[random.usize(..OPEN)].load(Ordering::Relaxed),
        }
    }

    fn keep(&self, random: &mut Rng, fd: i32) {
        if fd >= 0 {
            // The first ones stay: they are of many kinds.
            let slot = random.usize(OPEN / 3..OPEN);
            let old = self.fds[slot].swap(fd, Ordering::Relaxed);
            close(old);
        }
    }

    /// A lease as it should be, or nearly.
    fn acquire(&self, random: &mut Rng) {
        let mut request = uapi::pinlease_acquire {
            size: size_of::<uapi::pinlease_acquire>() as u32,
            flags: random.u32(0..2),
            fd: if random.u32(0..8) == 0 {
                self.some(random)
            } else {
                self.file
            },
            // Not only block: somebody must get on.
            policy: random.u32(0..5),
            offset: random.u64(0..PAGES) * PAGE,
            length: random.u64(0..6) * PAGE,
            grace_ms: random.u32(0..200),
            reserved: 0,
        };
        match random.u32(0..16) {
            0 => request.offset = random.u64(..),
            1 => request.length = random.u64(..),
            2 => request.size = random.u32(..),
            _ => {}
        }
        let fd = ioctl(
            self.device,
            uapi::PINLEASE_IOC_ACQUIRE_NR,
            &raw mut request as usize,
        );
        if let Ok(fd) = fd {
            nonblocking(fd);
            self.keep(random, fd);
        }
    }

    fn pin(&self, random: &mut Rng) {
        let mut request = uapi::pinlease_pin {
            size: size_of::<uapi::pinlease_pin>() as u32,
            flags: random.u32(0..3),
            addr: (self.address as u64).wrapping_add(random.u64(0..PAGES) * PAGE),
            length: random.u64(0..4) * PAGE,
            ..Default::default()
        };
        match random.u32(0..16) {
            0 => request.addr = random.u64(..),
            1 => request.length = random.u64(..),
            _ => {}
        }
        let fd = self.some(random);
        if ioctl(fd, uapi::PINLEASE_IOC_PIN_NR, &raw mut request as usize).is_ok() && random.bool()
        {
            let mut unpin = uapi::pinlease_unpin {
                size: size_of::<uapi::pinlease_unpin>() as u32,
                id: request.id,
                ..Default::default()
            };
            let _ = ioctl(fd, uapi::PINLEASE_IOC_UNPIN_NR, &raw mut unpin as usize);
        }
    }

    fn attach(&self, random: &mut Rng) {
        let mut attach = uapi::dmasim_attach {
            lease_fd: self.some(random),
            reserved: 0,
            pin_id: random.u64(0..4096),
        };
        let fd = self.some(random);
        let _ = ioctl(fd, uapi::DMASIM_IOC_ATTACH_NR, &raw mut attach as usize);
    }

    fn watch(&self) {
        let mut watch = uapi::pinlease_watch {
            size: size_of::<uapi::pinlease_watch>() as u32,
            flags: 0,
        };
        let fd = ioctl(
            self.device,
            uapi::PINLEASE_IOC_WATCH_NR,
            &raw mut watch as usize,
        );
        if let Ok(fd) = fd {
            nonblocking(fd);
            self.keep(&mut Rng::new(), fd);
        }
    }

    fn close(&self, random: &mut Rng) {
        let slot = random.usize(OPEN / 3..OPEN);
        close(self.fds[slot].swap(-1, Ordering::Relaxed));
    }

    fn read(&self, random: &mut Rng) {
        let fd = self.some(random);
        let mut buffer = vec![0_u8; random.usize(0..300)];
        nonblocking(fd);
        // SAFETY: the buffer is as long as is said.
        unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
    }

    /// Any command with any bytes, at a good or a bad address.
    fn nonsense(&self, random: &mut Rng) {
        let fd = self.some(random);
        let size = random.u32(0..256);
        let number = (random.u32(1..4) << 30)
            | (size << 16)
            | (uapi::PINLEASE_IOC_TYPE << 8)
            | random.u32(0..10);
        let mut bytes: Vec<u64> = (0..520).map(|_| interesting(random)).collect();
        if random.u32(0..4) != 0 {
            // A size that may be right.
            let size = [16, 24, 40, 72, 88, 104, size][random.usize(..7)];
            bytes[0] = (bytes[0] & !0xffff_ffff) | u64::from(size);
        }
        let argument = match random.u32(0..10) {
            0 => random.usize(..),
            1 => 8,
            _ => bytes.as_mut_ptr().addr(),
        };
        let _ = ioctl(fd, number, argument);
    }
}

/// A number that somebody may have forgotten.
fn interesting(random: &mut Rng) -> u64 {
    match random.u32(0..8) {
        0..3 => 0,
        3 => random.u64(0..PAGES) * PAGE,
        4 => u64::MAX - random.u64(0..PAGE),
        5 => 1 << random.u32(0..64),
        6 => random.u64(0..64),
        _ => random.u64(..),
    }
}

/// Interrupts a thread; false when it has ended.
fn wake(thread: i32) -> bool {
    if thread > 0 {
        let me = nix::unistd::Pid::this().as_raw();
        // SAFETY: the call takes integers.
        unsafe { libc::syscall(libc::SYS_tgkill, me, thread, libc::SIGUSR1) };
    }
    thread >= 0
}

fn into_raw(fd: impl Into<OwnedFd>) -> RawFd {
    use std::os::fd::IntoRawFd;
    fd.into().into_raw_fd()
}

fn ioctl(fd: RawFd, number: u32, argument: usize) -> nix::Result<i32> {
    // SAFETY: pinlease and dmasim write only to structures of the caller, whose
    // sizes they know; where the argument is none of these, it is room that is
    // larger than any, or nothing that is mapped and writable but by chance.
    // This process has nothing to lose.
    Errno::result(unsafe { libc::ioctl(fd, libc::Ioctl::from(number), argument) })
}

fn close(fd: RawFd) {
    if fd >= 0 {
        // SAFETY: the number is one that was made here; at worst another
        // thread has closed it.
        unsafe { libc::close(fd) };
    }
}

fn nonblocking(fd: RawFd) {
    // SAFETY: the command takes an integer.
    unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) };
}
