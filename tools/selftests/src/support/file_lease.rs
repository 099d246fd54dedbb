// SPDX-License-Identifier: GPL-2.0
//! Leases of the kernel's own: fcntl(2) `F_SETLEASE`.

use std::{fs::File, os::fd::AsRawFd};

use nix::{
    errno::Errno,
    sys::signal::{sigaction, SaFlags, SigAction, SigHandler, SigSet, Signal},
};

/// Which lease.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Share {
    /// `F_RDLCK`: others may read.
    Read,
    /// `F_WRLCK`: others may not even open the file.
    Write,
}

/// A lease on an open file; dropping it ends it.
#[derive(Debug)]
pub struct FileLease(File);

impl FileLease {
    /// Leases `file`; from then on this process ignores SIGIO, which a break
    /// sends.
    ///
    /// # Errors
    ///
    /// As fcntl(2).
    pub fn take(file: File, share: Share) -> nix::Result<Self> {
        let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
        // SAFETY: no handler is installed.
        unsafe { sigaction(Signal::SIGIO, &ignore) }?;
        set(
            &file,
            match share {
                Share::Read => libc::F_RDLCK,
                Share::Write => libc::F_WRLCK,
            },
        )?;
        Ok(Self(file))
    }

    /// What is left of it: `F_RDLCK`, `F_WRLCK` or `F_UNLCK`, or what a break
    /// wants it to become.
    ///
    /// # Errors
    ///
    /// As fcntl(2).
    pub fn state(&self) -> nix::Result<i32> {
        // SAFETY: the command takes no argument.
        Errno::result(unsafe { libc::fcntl(self.0.as_raw_fd(), libc::F_GETLEASE) })
    }

    /// Ends it; the file stays open.
    ///
    /// # Errors
    ///
    /// As fcntl(2).
    pub fn release(&self) -> nix::Result<()> {
        set(&self.0, libc::F_UNLCK)
    }
}

impl Drop for FileLease {
    fn drop(&mut self) {
        let _ = self.release();
    }
}

fn set(file: &File, share: libc::c_int) -> nix::Result<()> {
    // SAFETY: the command takes an integer.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, share) };
    Errno::result(result).map(drop)
}
