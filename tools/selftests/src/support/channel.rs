// SPDX-License-Identifier: GPL-2.0
//! Messages from one process to another: JSON lines in a pipe, each written at
//! once, so that what a process sent before it was killed arrives.

use std::{
    io::{Read, Write},
    marker::PhantomData,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use anyhow::{bail, ensure, Context, Result};
use nix::{
    errno::Errno,
    fcntl::OFlag,
    poll::{poll, PollFd, PollFlags, PollTimeout},
    unistd::pipe2,
};
use serde::{de::DeserializeOwned, Serialize};

use super::slowness;

/// Bytes that write(2) puts into a pipe at once.
const AT_ONCE: usize = libc::PIPE_BUF;

/// The end of a pipe into which messages go; copies of it may be in several
/// processes.
#[derive(Debug)]
pub struct Sender<T>(std::fs::File, PhantomData<fn(T)>);

/// The end of a pipe out of which messages come.
#[derive(Debug)]
pub struct Receiver<T> {
    pipe: std::fs::File,
    buffer: Vec<u8>,
    message: PhantomData<fn() -> T>,
}

/// A pipe for messages; to be made before fork(2).
///
/// # Errors
///
/// pipe(2)'s.
pub fn channel<T>() -> Result<(Sender<T>, Receiver<T>)> {
    let (read, write) = pipe2(OFlag::O_CLOEXEC).context("pipe")?;
    let receiver = Receiver {
        pipe: OwnedFd::into(read),
        buffer: Vec::new(),
        message: PhantomData,
    };
    Ok((Sender(OwnedFd::into(write), PhantomData), receiver))
}

impl<T> Sender<T> {
    /// One more, for another process.
    ///
    /// # Errors
    ///
    /// dup(2)'s.
    pub fn duplicate(&self) -> Result<Self> {
        Ok(Self(self.0.try_clone()?, PhantomData))
    }
}

impl<T: Serialize> Sender<T> {
    /// Sends a message.
    ///
    /// # Errors
    ///
    /// Nobody can receive it any more, or it is too long to be sent at once.
    pub fn send(&self, message: &T) -> Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        ensure!(
            line.len() <= AT_ONCE,
            "a message of {} bytes is too long",
            line.len()
        );
        (&self.0).write_all(&line).context("sending a message")
    }
}

impl<T: DeserializeOwned> Receiver<T> {
    /// The next message; `None`: no sender is left.
    ///
    /// # Errors
    ///
    /// None comes within `limit` (more where everything is slow).
    pub fn receive(&mut self, limit: Duration) -> Result<Option<T>> {
        let limit = slowness::allow(limit);
        let deadline = Instant::now() + limit;
        loop {
            if let Some(message) = self.buffered()? {
                return Ok(Some(message));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if !readable(self.pipe.as_fd(), left)? {
                bail!("no message within {limit:?}");
            }
            if self.fill()? == 0 {
                return Ok(None);
            }
        }
    }

    /// The messages that are there already.
    ///
    /// # Errors
    ///
    /// The pipe cannot be read.
    pub fn pending(&mut self) -> Result<Vec<T>> {
        while readable(self.pipe.as_fd(), Duration::ZERO)? {
            if self.fill()? == 0 {
                break;
            }
        }
        let mut messages = Vec::new();
        while let Some(message) = self.buffered()? {
            messages.push(message);
        }
        Ok(messages)
    }

    fn fill(&mut self) -> Result<usize> {
        let mut chunk = [0; 16 << 10];
        let length = self.pipe.read(&mut chunk)?;
        self.buffer.extend_from_slice(&chunk[..length]);
        Ok(length)
    }

    fn buffered(&mut self) -> Result<Option<T>> {
        let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') else {
            return Ok(None);
        };
        let line: Vec<u8> = self.buffer.drain(..=end).collect();
        Ok(Some(serde_json::from_slice(&line)?))
    }
}

impl<T> AsFd for Receiver<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

/// Waits until `fd` can be read, or has no writer any more; false after `limit`.
///
/// # Errors
///
/// poll(2)'s.
pub fn readable(fd: BorrowedFd<'_>, limit: Duration) -> Result<bool> {
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // Rounded up, so that the last wait is no busy one.
        let timeout = PollTimeout::try_from(left + Duration::from_micros(999))?;
        let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            Err(Errno::EINTR) => {}
            result => return Ok(result? > 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_in_order() {
        let (sender, mut receiver) = channel::<(u32, String)>().unwrap();
        sender.send(&(1, "a\nb".into())).unwrap();
        sender.send(&(2, String::new())).unwrap();
        let soon = Duration::from_secs(5);
        assert_eq!(receiver.receive(soon).unwrap(), Some((1, "a\nb".into())));
        assert_eq!(receiver.pending().unwrap(), [(2, String::new())]);
        assert!(receiver.pending().unwrap().is_empty());
        assert!(receiver.receive(Duration::from_millis(1)).is_err());
        assert!(sender.send(&(3, "x".repeat(AT_ONCE))).is_err());
        drop(sender);
        assert_eq!(receiver.receive(soon).unwrap(), None);
    }
}
