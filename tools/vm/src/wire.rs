// SPDX-License-Identifier: GPL-2.0

//! What the guest tells the host, over one virtio-serial port.
//!
//! One stream for everything keeps the order: when the exit status has arrived, so has all output before it.

use std::io::{self, Read, Write};

/// The name of the port in the guest.
pub const PORT: &str = "pinlease";

/// The kernel log line after which everything on the console belongs to the command's run.
pub const CONSOLE_START: &str = "pinlease-vm: start";

/// The kernel log line after which the console is complete.
pub const CONSOLE_END: &str = "pinlease-vm: end";

/// Frames are cut to this size, so that neither side holds much.
pub const MAX_PAYLOAD: usize = 32 * 1024;

/// One message of the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The guest is set up and the command starts now.
    Started,
    /// Bytes of the command's standard output.
    Stdout(Vec<u8>),
    /// Bytes of the command's standard error.
    Stderr(Vec<u8>),
    /// A word of the guest program itself, such as why the guest could not be set up.
    Note(String),
    /// The command has ended, with this status as a shell would say it.
    Exited(u8),
    /// The filesystems are unmounted; the machine may be switched off.
    Done,
}

impl Frame {
    /// Writes the frame: a tag, the payload's length, the payload.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_to(&self, writer: &mut impl Write) -> io::Result<()> {
        let (tag, payload): (u8, &[u8]) = match self {
            Self::Started => (b'S', &[]),
            Self::Stdout(bytes) => (b'o', bytes),
            Self::Stderr(bytes) => (b'e', bytes),
            Self::Note(text) => (b'n', text.as_bytes()),
            Self::Exited(status) => (b'x', std::slice::from_ref(status)),
            Self::Done => (b'D', &[]),
        };
        let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
        let mut frame = Vec::with_capacity(5 + payload.len());
        frame.push(tag);
        frame.extend_from_slice(&length.to_le_bytes());
        frame.extend_from_slice(payload);
        writer.write_all(&frame)?;
        writer.flush()
    }

    /// Reads the next frame; `None` at the end of the stream, even if that is in the middle of a frame (the guest died).
    ///
    /// # Errors
    ///
    /// Those of the reader, and `InvalidData` for what is no frame.
    pub fn read_from(reader: &mut impl Read) -> io::Result<Option<Self>> {
        let mut header = [0; 5];
        if !fill(reader, &mut header)? {
            return Ok(None);
        }
        let [tag, length @ ..] = header;
        let length = u32::from_le_bytes(length) as usize;
        if length > 2 * MAX_PAYLOAD {
            return Err(invalid("a frame is too long"));
        }
        let mut payload = vec![0; length];
        if !fill(reader, &mut payload)? {
            return Ok(None);
        }
        Ok(Some(match tag {
            b'S' => Self::Started,
            b'o' => Self::Stdout(payload),
            b'e' => Self::Stderr(payload),
            b'n' => Self::Note(String::from_utf8_lossy(&payload).into_owned()),
            b'x' => Self::Exited(
                *payload
                    .first()
                    .ok_or_else(|| invalid("a status is missing"))?,
            ),
            b'D' => Self::Done,
            _ => return Err(invalid("a frame has an unknown tag")),
        }))
    }
}

fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_the_wire() {
        let frames = [
            Frame::Started,
            Frame::Stdout(b"out\0\xff".to_vec()),
            Frame::Stderr(Vec::new()),
            Frame::Note("why".into()),
            Frame::Exited(42),
            Frame::Done,
        ];
        let mut stream = Vec::new();
        for frame in &frames {
            frame.write_to(&mut stream).unwrap();
        }
        let mut reader = stream.as_slice();
        for frame in frames {
            assert_eq!(Frame::read_from(&mut reader).unwrap(), Some(frame));
        }
        assert_eq!(Frame::read_from(&mut reader).unwrap(), None);
    }

    #[test]
    fn a_cut_frame_is_the_end() {
        let mut stream = Vec::new();
        Frame::Stdout(vec![1; 100]).write_to(&mut stream).unwrap();
        assert_eq!(Frame::read_from(&mut &stream[..50]).unwrap(), None);
    }

    #[test]
    fn garbage_is_an_error() {
        assert!(Frame::read_from(&mut &b"\xff\xff\xff\xff\xff\xff"[..]).is_err());
    }
}
