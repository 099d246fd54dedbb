// SPDX-License-Identifier: GPL-2.0
//! Descriptors that one process sends another (`SCM_RIGHTS`).

use std::{
    io::{IoSlice, IoSliceMut},
    os::{
        fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use anyhow::{bail, Context, Result};
use nix::sys::socket::{recvmsg, sendmsg, ControlMessage, ControlMessageOwned, MsgFlags};

/// Sends a descriptor to another process.
///
/// # Errors
///
/// sendmsg(2)'s.
pub fn send(to: &UnixStream, descriptor: impl AsFd) -> Result<()> {
    let fds = [descriptor.as_fd().as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&fds)];
    let data = [IoSlice::new(&[0])];
    sendmsg::<()>(to.as_raw_fd(), &data, &rights, MsgFlags::empty(), None)?;
    Ok(())
}

/// Takes a descriptor that another process sends.
///
/// # Errors
///
/// None comes.
pub fn receive(from: &UnixStream) -> Result<OwnedFd> {
    let mut buffer = [0];
    let mut data = [IoSliceMut::new(&mut buffer)];
    let mut space = nix::cmsg_space!([i32; 1]);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(from.as_raw_fd(), &mut data, Some(&mut space), flags)?;
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(fds) = control {
            let fd = *fds.first().context("no descriptor")?;
            // SAFETY: the kernel has just made this descriptor for us.
            return Ok(unsafe { OwnedFd::from_raw_fd(fd) });
        }
    }
    bail!("no rights came")
}
