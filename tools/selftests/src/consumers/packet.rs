// SPDX-License-Identifier: GPL-2.0
//! Sends Ethernet frames as they are.

use std::{
    fs, io,
    mem::size_of,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use anyhow::{Context as _, Result};
use nix::{errno::Errno, unistd::write};

use crate::harness::skip;

/// A packet socket on an interface.
#[derive(Debug)]
pub struct Packets(OwnedFd);

impl Packets {
    /// Sends on `interface`, and receives nothing.
    ///
    /// # Errors
    ///
    /// There is no such interface, or the caller is not root; the kernel has no packet sockets
    /// ([`Skip`](crate::harness::Skip)).
    pub fn on(interface: &str) -> Result<Self> {
        let index = fs::read_to_string(format!("/sys/class/net/{interface}/ifindex"))?;
        // SAFETY: takes no pointers.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        let fd = match Errno::result(fd) {
            Err(Errno::EAFNOSUPPORT) => return skip("the kernel has no packet sockets"),
            fd => fd.context("packet socket")?,
        };
        // SAFETY: a new descriptor, which nobody else owns.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        let address = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: 0,
            sll_ifindex: index.trim().parse()?,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        // SAFETY: the address is as long as is said, and only read.
        let bound = unsafe {
            libc::bind(
                socket.as_raw_fd(),
                std::ptr::from_ref(&address).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        Errno::result(bound).context("binding the packet socket")?;
        Ok(Self(socket))
    }

    /// Sends one frame; false: the queue is full.
    ///
    /// # Errors
    ///
    /// The interface is down, for instance.
    pub fn send(&self, frame: &[u8]) -> Result<bool> {
        match write(&self.0, frame) {
            Ok(_) => Ok(true),
            Err(Errno::ENOBUFS) => Ok(false),
            Err(errno) => Err(io::Error::from(errno)).context("sending a frame"),
        }
    }
}
