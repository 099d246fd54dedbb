// SPDX-License-Identifier: GPL-2.0
//! Does calls, in the process in which it is.

use std::{
    ffi::{c_void, CString},
    os::fd::{BorrowedFd, RawFd},
    path::PathBuf,
    ptr,
};

use nix::errno::Errno;
use pinlease::{issue, uapi, Argument};

use crate::{
    call::{Call, Outcome, Queried},
    malformed,
    operation::{Child, Mapping, Sync, FILES, PAGE},
};

/// Events that are read at a time, more than a queue has.
pub const EVENTS_AT_ONCE: usize = 257 * size_of::<uapi::pinlease_event>();

/// How long an interrupted call may last.
const SIGNAL_US: i64 = 2000;

/// `F_SETSIG` of asm-generic/fcntl.h, which libc lacks.
const F_SETSIG: i32 = 10;

/// `_IOW('b', 0, struct dma_buf_sync)` of linux/dma-buf.h, and what its flags are.
const DMA_BUF_IOCTL_SYNC: libc::Ioctl = 0x4008_6200;
const DMA_BUF_SYNC_RW: u64 = 3;
const DMA_BUF_SYNC_END: u64 = 4;

/// What signals for events are.
const SIGNAL: i32 = libc::SIGUSR1;

/// Does calls.
#[derive(Debug)]
pub struct Executor {
    device: RawFd,
    paths: [CString; FILES],
    events: Vec<u8>,
    /// What is written, aligned for direct I/O.
    data: *mut c_void,
}

/// Bytes of it.
const DATA: usize = 32 * PAGE as usize;

impl Executor {
    /// For the present process; its signal handlers are set.
    ///
    /// # Errors
    ///
    /// No memory.
    pub fn new(device: RawFd, paths: &[PathBuf; FILES]) -> anyhow::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice.
        let data = unsafe {
            libc::mmap(
                ptr::null_mut(),
                DATA,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE,
                -1,
                0,
            )
        };
        anyhow::ensure!(data != libc::MAP_FAILED, "no memory");
        ignore(SIGNAL, libc::SIG_IGN);
        ignore(libc::SIGALRM, nothing as *const () as usize);
        let c_path = |path: &PathBuf| CString::new(path.as_os_str().as_encoded_bytes());
        Ok(Self {
            device,
            paths: [c_path(&paths[0])?, c_path(&paths[1])?, c_path(&paths[2])?],
            events: vec![0; EVENTS_AT_ONCE],
            data,
        })
    }

    /// Does a call. Not [`Call::Send`], which takes two processes.
    pub fn execute(&mut self, call: &Call) -> Outcome {
        if let Call::Query { fd } = *call {
            return query(fd);
        }
        Outcome::of(self.run(call))
    }

    fn run(&mut self, call: &Call) -> nix::Result<u64> {
        match *call {
            Call::Acquire {
                flags,
                fd,
                policy,
                offset,
                length,
                grace_ms,
            } => command(
                self.device,
                uapi::pinlease_acquire {
                    size: size_of::<uapi::pinlease_acquire>() as u32,
                    flags,
                    fd,
                    policy,
                    offset,
                    length,
                    grace_ms,
                    reserved: 0,
                },
            ),
            Call::Pin {
                fd,
                flags,
                address,
                length,
            } => {
                let mut pin = uapi::pinlease_pin {
                    size: size_of::<uapi::pinlease_pin>() as u32,
                    flags,
                    addr: address,
                    length,
                    ..Default::default()
                };
                issue(borrowed(fd), &mut pin).map(|_| pin.id)
            }
            Call::Unpin { fd, id } => command(
                fd,
                uapi::pinlease_unpin {
                    size: size_of::<uapi::pinlease_unpin>() as u32,
                    reserved: 0,
                    id,
                },
            ),
            Call::Mark { fd, offset, length } => command(
                fd,
                uapi::pinlease_mark {
                    size: size_of::<uapi::pinlease_mark>() as u32,
                    reserved: 0,
                    offset,
                    length,
                },
            ),
            Call::Shrink { fd, offset, length } => command(
                fd,
                uapi::pinlease_shrink {
                    size: size_of::<uapi::pinlease_shrink>() as u32,
                    reserved: 0,
                    offset,
                    length,
                },
            ),
            Call::Hostile { fd, command, how } => malformed::issue(fd, command, how),
            Call::List => list(self.device, 0, |_| ()),
            Call::Watch => command(
                self.device,
                uapi::pinlease_watch {
                    size: size_of::<uapi::pinlease_watch>() as u32,
                    flags: 0,
                },
            ),
            Call::Read { fd } => self.read(fd),
            Call::Signals { fd, on } => signals(fd, on),
            Call::Write { fd, offset, length } => {
                let length = (length as usize).min(DATA);
                // SAFETY: so many bytes are there.
                result(unsafe { libc::pwrite(fd, self.data, length, offset as i64) } as i64)
            }
            Call::OpenTruncating { file, flags } => {
                let flags = libc::O_RDWR | libc::O_TRUNC | libc::O_CLOEXEC | flags;
                // SAFETY: the path is a string.
                let fd = result(unsafe { libc::open(self.paths[file].as_ptr(), flags) }.into())?;
                close(fd as RawFd)
            }
            Call::Interrupted(ref call) => {
                alarm(SIGNAL_US);
                let result = self.run(call);
                alarm(0);
                result
            }
            Call::Engine => {
                let flags = libc::O_RDWR | libc::O_CLOEXEC;
                // SAFETY: the path is a string.
                result(unsafe { libc::open(c"/dev/dmasim".as_ptr(), flags) }.into())
            }
            Call::Attach { fd, lease, pin } => command(
                fd,
                uapi::dmasim_attach {
                    lease_fd: lease,
                    reserved: 0,
                    pin_id: pin,
                },
            ),
            Call::PinRaw {
                fd,
                address,
                length,
            } => command(
                fd,
                uapi::dmasim_pin_raw {
                    addr: address,
                    length,
                    flags: uapi::DMASIM_PIN_RAW_LONGTERM.into(),
                },
            ),
            Call::DeviceWrite { fd, first, pages } => command(
                fd,
                uapi::dmasim_write {
                    first_page: first,
                    pages,
                    generation: 1,
                },
            ),
            Call::Start { fd } => command(
                fd,
                uapi::dmasim_start {
                    generation: 1,
                    pause_us: 10_000,
                },
            ),
            Call::Stop { fd } => {
                let number = libc::Ioctl::from(uapi::DMASIM_IOC_STOP_NR);
                // SAFETY: the command takes no argument.
                result(unsafe { libc::ioctl(fd, number, 0) }.into())
            }
            Call::Export {
                fd,
                open_flags,
                pin,
                offset,
                length,
            } => command(
                fd,
                uapi::pinlease_export {
                    size: size_of::<uapi::pinlease_export>() as u32,
                    open_flags,
                    id: pin,
                    offset,
                    length,
                },
            ),
            Call::Import { fd, buffer, flags } => {
                command(fd, uapi::dmasim_import { fd: buffer, flags })
            }
            Call::Fork { child } => fork(child),
            Call::Clean {
                ref fds,
                ref mappings,
            } => {
                fds.iter().try_for_each(|&fd| close(fd).map(drop))?;
                mappings
                    .iter()
                    .try_for_each(|&(address, length)| reserve(address, length))?;
                Ok(0)
            }
            ref simple => simple_call(simple),
        }
    }

    fn read(&mut self, fd: RawFd) -> nix::Result<u64> {
        let mut poll = libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one structure, borrowed exclusively.
        if result(unsafe { libc::poll(&mut poll, 1, 0) }.into())? == 0 {
            return Err(Errno::EAGAIN);
        }
        // SAFETY: the buffer has so many bytes.
        result(unsafe { libc::read(fd, self.events.as_mut_ptr().cast(), self.events.len()) } as i64)
    }
}

/// Calls that need nothing of the executor.
fn simple_call(call: &Call) -> nix::Result<u64> {
    match *call {
        Call::Close { fd } => close(fd),
        // SAFETY: no memory is involved.
        Call::Duplicate { fd } => result(unsafe { libc::dup(fd) }.into()),
        // SAFETY: no memory is involved but a file's.
        Call::Truncate { fd, size } => result(unsafe { libc::ftruncate(fd, size as i64) }.into()),
        Call::Allocate {
            fd,
            mode,
            offset,
            length,
        } => {
            // SAFETY: no memory is involved but a file's.
            result(unsafe { libc::fallocate(fd, mode, offset as i64, length as i64) }.into())
        }
        Call::Map {
            address,
            length,
            fd,
            offset,
            kind,
        } => map(address, length, fd, offset, kind),
        Call::Unmap { address, length } => reserve(address, length).map(|()| 0),
        Call::Move { from, to, length } => {
            let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
            let (old, new) = (from as *mut c_void, to as *mut c_void);
            // SAFETY: both are places for mappings, in which nothing of Rust's is.
            let moved = unsafe { libc::mremap(old, length as usize, length as usize, flags, new) };
            result(moved as i64)
                .and_then(|_| reserve(from, length))
                .map(|()| 0)
        }
        Call::Store { address } => {
            // SAFETY: a page of a file is mapped there, writable; nothing of Rust's is.
            unsafe { ptr::write_volatile(address as *mut u64, address) };
            Ok(0)
        }
        Call::Sync { fd, how } => result(sync(fd, how).into()),
        Call::Access { fd, end } => {
            let flags = DMA_BUF_SYNC_RW | if end { DMA_BUF_SYNC_END } else { 0 };
            // SAFETY: reads the flags.
            result(unsafe { libc::ioctl(fd, DMA_BUF_IOCTL_SYNC, &flags) }.into())
        }
        _ => Err(Errno::ENOSYS),
    }
}

fn sync(fd: RawFd, how: Sync) -> i32 {
    match how {
        // SAFETY: no memory is involved, here and below.
        Sync::Fsync => unsafe { libc::fsync(fd) },
        // SAFETY: as above.
        Sync::Fdatasync => unsafe { libc::fdatasync(fd) },
        // SAFETY: as above.
        Sync::Range => unsafe { libc::sync_file_range(fd, 0, 0, libc::SYNC_FILE_RANGE_WRITE) },
    }
}

fn result(result: i64) -> nix::Result<u64> {
    // `Errno::result` knows -1 only as what it is.
    Errno::result(result).map(|value| value as u64)
}

fn borrowed<'a>(fd: RawFd) -> BorrowedFd<'a> {
    // SAFETY: what the model has is open until it is told to close it.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

fn command<A: Argument>(fd: RawFd, mut argument: A) -> nix::Result<u64> {
    issue(borrowed(fd), &mut argument).map(|value| value as u64)
}

fn query(fd: RawFd) -> Outcome {
    let mut query = uapi::pinlease_query {
        size: size_of::<uapi::pinlease_query>() as u32,
        ..Default::default()
    };
    let outcome = Outcome::of(issue(borrowed(fd), &mut query).map(|_| query.id));
    Outcome {
        queried: outcome.succeeded().then(|| Queried::from(query)),
        ..outcome
    }
}

/// Calls `seen` with each lease whose id is greater than `after`; returns how many there are.
///
/// # Errors
///
/// Those of PINLEASE_IOC_NEXT.
pub fn list(
    device: RawFd,
    after: u64,
    mut seen: impl FnMut(&uapi::pinlease_next),
) -> nix::Result<u64> {
    let mut next = uapi::pinlease_next {
        size: size_of::<uapi::pinlease_next>() as u32,
        id: after,
        ..Default::default()
    };
    let mut count = 0;
    loop {
        match pinlease::issue_next(borrowed(device), &mut next, &mut []) {
            Ok(()) => seen(&next),
            Err(Errno::ENOENT) => return Ok(count),
            Err(errno) => return Err(errno),
        }
        count += 1;
    }
}

fn close(fd: RawFd) -> nix::Result<u64> {
    // SAFETY: the model's descriptors belong to nobody else.
    result(unsafe { libc::close(fd) }.into())
}

fn map(address: u64, length: u64, fd: RawFd, offset: u64, kind: Mapping) -> nix::Result<u64> {
    let (protection, flags) = match kind {
        Mapping::Shared => (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED),
        Mapping::ReadOnly => (libc::PROT_READ, libc::MAP_SHARED),
        Mapping::Private => (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE),
    };
    let (address, length) = (address as *mut c_void, length as usize);
    let flags = flags | libc::MAP_FIXED;
    // SAFETY: a place for mappings, in which nothing of Rust's is.
    let mapped = unsafe { libc::mmap(address, length, protection, flags, fd, offset as i64) };
    if mapped == libc::MAP_FAILED {
        return Err(Errno::last());
    }
    // So that faults bring single pages.
    // SAFETY: only advice.
    result(unsafe { libc::madvise(address, length, libc::MADV_RANDOM) }.into()).map(|_| 0)
}

/// Maps nothing there, so that nobody else does.
pub(crate) fn reserve(address: u64, length: u64) -> nix::Result<()> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
    let address = address as *mut c_void;
    // SAFETY: a place for mappings, in which nothing of Rust's is.
    let mapped = unsafe { libc::mmap(address, length as usize, libc::PROT_NONE, flags, -1, 0) };
    match mapped == libc::MAP_FAILED {
        true => Err(Errno::last()),
        false => Ok(()),
    }
}

/// Maps a file there for ever.
pub(crate) fn map_shared(address: u64, length: u64, fd: RawFd) -> nix::Result<()> {
    map(address, length, fd, 0, Mapping::Shared).map(drop)
}

fn signals(fd: RawFd, on: bool) -> nix::Result<u64> {
    // SAFETY: no memory is involved, here and below.
    result(unsafe { libc::fcntl(fd, libc::F_SETOWN, std::process::id()) }.into())?;
    // SAFETY: as above.
    result(unsafe { libc::fcntl(fd, F_SETSIG, SIGNAL) }.into())?;
    let flags = if on { libc::O_ASYNC } else { 0 };
    // SAFETY: as above.
    result(unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_RDWR | flags) }.into())
}

fn fork(child: Child) -> nix::Result<u64> {
    // SAFETY: the child calls nothing that is not safe after a fork.
    match result(unsafe { libc::fork() }.into())? {
        0 => {
            if child == Child::Executes {
                let arguments = [c"true".as_ptr(), ptr::null()];
                // SAFETY: strings, and a list that ends.
                unsafe { libc::execv(c"/bin/true".as_ptr(), arguments.as_ptr()) };
            }
            // SAFETY: ends the child.
            unsafe { libc::_exit(0) }
        }
        pid => {
            let mut status = 0;
            // SAFETY: the status is ours.
            result(unsafe { libc::waitpid(pid as i32, &mut status, 0) }.into())?;
            match status {
                0 => Ok(0),
                _ => Err(Errno::ECHILD),
            }
        }
    }
}

extern "C" fn nothing(_: i32) {}

fn ignore(signal: i32, handler: libc::sighandler_t) {
    // SAFETY: zero is a valid structure: no flags, so that calls are interrupted.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    // SAFETY: the handler does nothing.
    unsafe { libc::sigaction(signal, &action, ptr::null_mut()) };
}

/// SIGALRM after this time, again and again; 0: never.
fn alarm(after_us: i64) {
    let value = libc::timeval {
        tv_sec: 0,
        tv_usec: after_us,
    };
    let timer = libc::itimerval {
        it_interval: value,
        it_value: value,
    };
    // SAFETY: reads one structure.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, ptr::null_mut()) };
}
