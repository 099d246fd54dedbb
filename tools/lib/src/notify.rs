// SPDX-License-Identifier: GPL-2.0
//! How a process learns that there are events: flags of the file descriptor.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

use nix::{
    errno::Errno,
    fcntl::{fcntl, FcntlArg, OFlag},
    sys::signal::Signal,
    unistd::Pid,
};

/// From <asm-generic/fcntl.h>; libc lacks it.
const F_SETSIG: libc::c_int = 10;

/// Whether read(2) fails instead of waiting.
pub fn set_nonblocking(fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    set_flag(fd, OFlag::O_NONBLOCK, on)
}

/// Has `signal` sent to this process when there is something to read.
pub fn by_signal(fd: BorrowedFd<'_>, signal: Option<Signal>) -> io::Result<()> {
    if let Some(signal) = signal {
        // Before O_ASYNC: no event may meet a half-made choice.  A signal that
        // is chosen explicitly, be it SIGIO, comes with si_fd.
        set(fd, libc::F_SETOWN, Pid::this().as_raw())?;
        set(fd, F_SETSIG, signal as libc::c_int)?;
    }
    set_flag(fd, OFlag::O_ASYNC, signal.is_some())
}

fn set_flag(fd: BorrowedFd<'_>, flag: OFlag, on: bool) -> io::Result<()> {
    let mut flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    flags.set(flag, on);
    fcntl(fd, FcntlArg::F_SETFL(flags))?;
    Ok(())
}

/// The commands of fcntl(2) that nix lacks.
fn set(fd: BorrowedFd<'_>, command: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: both commands take an integer and touch no memory.
    let result = unsafe { libc::fcntl(fd.as_raw_fd(), command, value) };
    Errno::result(result)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn flags_go_on_and_off() {
        let (reader, _writer) = nix::unistd::pipe().unwrap();
        let fd = reader.as_fd();
        let has =
            |flag| OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL).unwrap()).contains(flag);
        set_nonblocking(fd, true).unwrap();
        by_signal(fd, Some(Signal::SIGUSR1)).unwrap();
        assert!(has(OFlag::O_NONBLOCK) && has(OFlag::O_ASYNC));
        by_signal(fd, None).unwrap();
        assert!(has(OFlag::O_NONBLOCK) && !has(OFlag::O_ASYNC));
        set_nonblocking(fd, false).unwrap();
        assert!(!has(OFlag::O_NONBLOCK));
    }
}
