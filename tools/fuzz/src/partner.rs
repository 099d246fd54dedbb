// SPDX-License-Identifier: GPL-2.0
//! The other process: another user's, with the same files open.

use std::{
    io::{IoSlice, IoSliceMut},
    os::fd::{AsRawFd, OwnedFd, RawFd},
    process,
};

use anyhow::{bail, Context, Result};
use nix::{
    cmsg_space,
    sys::{
        resource::{setrlimit, Resource},
        socket::{
            recvmsg, sendmsg, socketpair, AddressFamily, ControlMessage, ControlMessageOwned,
            MsgFlags, SockFlag, SockType,
        },
        wait::waitpid,
    },
    unistd::{fork, setresgid, setresuid, ForkResult, Gid, Pid, Uid},
};
use serde::{Deserialize, Serialize};

use crate::{
    call::{Call, Outcome},
    executor::Executor,
};

/// More than a message has.
const MESSAGE: usize = 16 << 10;

/// What is said on the socket; a descriptor may go with it.
#[derive(Debug, Deserialize, Serialize)]
enum Message {
    Call(Call),
    /// Here is a descriptor for you.
    Take,
    /// Give me a copy of this one.
    Give(RawFd),
    Outcome(Outcome),
}

/// The partner, as its worker sees it.
#[derive(Debug)]
pub struct Partner {
    socket: Option<OwnedFd>,
    process: Pid,
}

impl Partner {
    /// Starts one that runs as `user` and may pin `memlock` bytes.
    ///
    /// # Errors
    ///
    /// There can be none.
    pub fn start(executor: &mut Executor, user: u32, memlock: u64) -> Result<Self> {
        let (ours, theirs) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )?;
        // SAFETY: there is one thread only.
        match unsafe { fork() }? {
            ForkResult::Parent { child } => Ok(Self {
                socket: Some(ours),
                process: child,
            }),
            ForkResult::Child => {
                drop(ours);
                let result = become_user(user, memlock).and_then(|()| serve(executor, &theirs));
                if let Err(error) = &result {
                    eprintln!("partner: {error:#}");
                }
                process::exit(i32::from(result.is_err()));
            }
        }
    }

    /// Its process.
    pub fn process(&self) -> Pid {
        self.process
    }

    /// Lets it do a call.
    ///
    /// # Errors
    ///
    /// It is gone.
    pub fn execute(&self, call: &Call) -> Result<Outcome> {
        match self.ask(&Message::Call(call.clone()), None)? {
            (Message::Outcome(outcome), _) => Ok(outcome),
            other => bail!("the partner said {other:?}"),
        }
    }

    /// Sends it a descriptor; the outcome's value is its own.
    ///
    /// # Errors
    ///
    /// It is gone.
    pub fn send(&self, fd: RawFd) -> Result<Outcome> {
        match self.ask(&Message::Take, Some(fd))? {
            (Message::Outcome(outcome), _) => Ok(outcome),
            other => bail!("the partner said {other:?}"),
        }
    }

    /// Lets it send a descriptor; the outcome's value is ours.
    ///
    /// # Errors
    ///
    /// It is gone.
    pub fn take(&self, fd: RawFd) -> Result<Outcome> {
        match self.ask(&Message::Give(fd), None)? {
            (Message::Take, Some(fd)) => Ok(Outcome::of(Ok(fd as u64))),
            other => bail!("the partner said {other:?}"),
        }
    }

    fn ask(&self, message: &Message, fd: Option<RawFd>) -> Result<(Message, Option<RawFd>)> {
        let socket = self.socket.as_ref().context("it has ended")?;
        send(socket, message, fd)?;
        receive(socket)?.context("the partner is gone")
    }
}

fn become_user(user: u32, memlock: u64) -> Result<()> {
    setrlimit(Resource::RLIMIT_MEMLOCK, memlock, memlock)?;
    let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)?;
    Ok(())
}

/// Does what it is told until nobody is there to tell.
fn serve(executor: &mut Executor, socket: &OwnedFd) -> Result<()> {
    while let Some((message, fd)) = receive(socket)? {
        match message {
            Message::Call(call) => {
                let outcome = executor.execute(&call);
                send(socket, &Message::Outcome(outcome), None)?;
            }
            Message::Take => {
                let fd = fd.context("no descriptor came")?;
                send(socket, &Message::Outcome(Outcome::of(Ok(fd as u64))), None)?;
            }
            Message::Give(fd) => send(socket, &Message::Take, Some(fd))?,
            Message::Outcome(_) => bail!("nobody asked"),
        }
    }
    Ok(())
}

fn send(socket: &OwnedFd, message: &Message, fd: Option<RawFd>) -> Result<()> {
    let text = serde_json::to_vec(message)?;
    let fds: Vec<RawFd> = fd.into_iter().collect();
    let with = [ControlMessage::ScmRights(&fds)];
    let with = if fds.is_empty() {
        &with[..0]
    } else {
        &with[..]
    };
    let flags = MsgFlags::MSG_NOSIGNAL;
    sendmsg::<()>(
        socket.as_raw_fd(),
        &[IoSlice::new(&text)],
        with,
        flags,
        None,
    )?;
    Ok(())
}

/// `None`: the other end is closed.
fn receive(socket: &OwnedFd) -> Result<Option<(Message, Option<RawFd>)>> {
    let mut text = [0; MESSAGE];
    let mut space = cmsg_space!(RawFd);
    let mut parts = [IoSliceMut::new(&mut text)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let received = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
    let bytes = received.bytes;
    let mut fd = None;
    for with in received.cmsgs()? {
        if let ControlMessageOwned::ScmRights(fds) = with {
            fd = fds.first().copied();
        }
    }
    if bytes == 0 {
        return Ok(None);
    }
    Ok(Some((serde_json::from_slice(&text[..bytes])?, fd)))
}

impl Drop for Partner {
    fn drop(&mut self) {
        // It ends when nobody is there to tell it what to do.
        self.socket = None;
        let _ = waitpid(self.process, None);
    }
}
