// SPDX-License-Identifier: GPL-2.0
//! A V4L2 capture device: the kernel's own test driver vivid.

use std::{
    fs::{self, File, OpenOptions},
    os::fd::{AsFd, AsRawFd},
    process::Command,
};

use anyhow::{ensure, Context, Result};

use crate::harness::skip;

/// Who provides the memory of frames.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Memory {
    /// A pointer of the process.
    UserPtr = 2,
    /// A dma-buf.
    DmaBuf = 4,
}

/// A filled frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Frame {
    /// Which of the buffers.
    pub index: u32,
    /// Bytes.
    pub length: usize,
    /// Its number.
    pub sequence: u32,
}

/// `V4L2_BUF_TYPE_VIDEO_CAPTURE`
const CAPTURE: u32 = 1;

/// `V4L2_PIX_FMT_YUYV`
const YUYV: u32 = u32::from_le_bytes(*b"YUYV");

/// The smallest frame that vivid's camera has: two bytes for each pixel.
const WIDTH: u32 = 320;
const HEIGHT: u32 = 180;

/// Frames in a second, at most.
const RATE: u32 = 60;

/// `struct v4l2_format` of linux/videodev2.h, with a `struct v4l2_pix_format`.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub struct Format {
    kind: u32,
    padding: u32,
    width: u32,
    height: u32,
    pixels: u32,
    field: u32,
    line: u32,
    size: u32,
    rest: [u32; 44],
}

/// `struct v4l2_requestbuffers`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct RequestBuffers {
    count: u32,
    kind: u32,
    memory: u32,
    capabilities: u32,
    flags: u32,
}

/// `struct v4l2_streamparm`, with a `struct v4l2_captureparm`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct StreamParameters {
    kind: u32,
    capability: u32,
    mode: u32,
    numerator: u32,
    denominator: u32,
    rest: [u32; 46],
}

/// `struct v4l2_buffer`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Buffer {
    index: u32,
    kind: u32,
    used: u32,
    flags: u32,
    field: u32,
    time: [i64; 2],
    timecode: [u32; 4],
    sequence: u32,
    memory: u32,
    /// A pointer, or a descriptor in its lower half.
    place: u64,
    length: u32,
    reserved: [u32; 2],
}

/// The commands.
mod command {
    use nix::{ioctl_readwrite, ioctl_write_ptr};

    use super::{Buffer, Format, RequestBuffers, StreamParameters};

    ioctl_readwrite!(
        /// `VIDIOC_S_FMT`.
        set_format,
        b'V',
        5,
        Format
    );
    ioctl_readwrite!(
        /// `VIDIOC_REQBUFS`.
        request_buffers,
        b'V',
        8,
        RequestBuffers
    );
    ioctl_readwrite!(
        /// `VIDIOC_QBUF`.
        queue,
        b'V',
        15,
        Buffer
    );
    ioctl_readwrite!(
        /// `VIDIOC_DQBUF`.
        dequeue,
        b'V',
        17,
        Buffer
    );
    ioctl_write_ptr!(
        /// `VIDIOC_STREAMON`.
        stream_on,
        b'V',
        18,
        u32
    );
    ioctl_write_ptr!(
        /// `VIDIOC_STREAMOFF`.
        stream_off,
        b'V',
        19,
        u32
    );
    ioctl_readwrite!(
        /// `VIDIOC_S_PARM`.
        set_parameters,
        b'V',
        22,
        StreamParameters
    );
    ioctl_readwrite!(
        /// `VIDIOC_S_INPUT`.
        set_input,
        b'V',
        39,
        u32
    );
}

/// The camera of vivid.
const CAMERA: &str = "vivid-000-vid-cap";

/// Loads vivid, which then writes by the CPU.
fn load() -> Result<()> {
    if super::modules::is_loaded("vivid") {
        return Ok(());
    }
    let loaded = Command::new("modprobe")
        .args(["vivid", "n_devs=1", "allocators=0", "node_types=1"])
        .output()
        .context("modprobe")?;
    if !loaded.status.success() {
        let why = String::from_utf8_lossy(&loaded.stderr);
        return skip(format!("needs the module vivid: {}", why.trim()));
    }
    Ok(())
}

/// An open capture device; dropping it ends the stream and lets go of the memory.
#[derive(Debug)]
pub struct Video {
    file: File,
    memory: Memory,
    /// Bytes of a frame.
    size: usize,
}

impl Video {
    /// Opens the camera of vivid for `count` buffers; skips the test when there is no vivid.
    ///
    /// # Errors
    ///
    /// It is not as it should be.
    pub fn open(memory: Memory, count: u32) -> Result<Self> {
        load()?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(node(CAMERA)?)?;
        let mut video = Self {
            file,
            memory,
            size: 0,
        };
        video.set_up(count)?;
        Ok(video)
    }

    fn set_up(&mut self, count: u32) -> Result<()> {
        let fd = self.file.as_raw_fd();
        let mut camera = 0;
        // SAFETY: the command reads and writes this number.
        unsafe { command::set_input(fd, &mut camera) }.context("VIDIOC_S_INPUT")?;
        let mut format = Format {
            kind: CAPTURE,
            padding: 0,
            width: WIDTH,
            height: HEIGHT,
            pixels: YUYV,
            field: 1,
            line: 0,
            size: 0,
            rest: [0; 44],
        };
        // SAFETY: the command reads and writes this structure.
        unsafe { command::set_format(fd, &mut format) }.context("VIDIOC_S_FMT")?;
        ensure!(
            (format.width, format.height) == (WIDTH, HEIGHT),
            "the camera has other frames: {format:?}"
        );
        let mut parameters = StreamParameters {
            kind: CAPTURE,
            capability: 0,
            mode: 0,
            numerator: 1,
            denominator: RATE,
            rest: [0; 46],
        };
        // SAFETY: as above.
        unsafe { command::set_parameters(fd, &mut parameters) }.context("VIDIOC_S_PARM")?;
        let mut request = RequestBuffers {
            count,
            kind: CAPTURE,
            memory: self.memory as u32,
            capabilities: 0,
            flags: 0,
        };
        // SAFETY: as above.
        unsafe { command::request_buffers(fd, &mut request) }.context("VIDIOC_REQBUFS")?;
        ensure!(request.count == count, "other buffers: {request:?}");
        self.size = format.size as usize;
        Ok(())
    }

    /// Bytes of a frame.
    pub fn frame_size(&self) -> usize {
        self.size
    }

    /// Gives a dma-buf for the next frame.
    ///
    /// # Errors
    ///
    /// ioctl(2)'s.
    pub fn queue(&self, index: u32, buffer: impl AsFd) -> nix::Result<()> {
        self.queue_at(index, buffer.as_fd().as_raw_fd() as u64, 0)
    }

    /// Gives memory of this process for the next frame.
    ///
    /// # Errors
    ///
    /// ioctl(2)'s.
    pub fn queue_memory(&self, index: u32, address: *mut u8) -> nix::Result<()> {
        let address = address.expose_provenance() as u64;
        self.queue_at(index, address, self.size as u32)
    }

    fn queue_at(&self, index: u32, place: u64, length: u32) -> nix::Result<()> {
        let mut buffer = Buffer {
            index,
            kind: CAPTURE,
            memory: self.memory as u32,
            place,
            length,
            ..Default::default()
        };
        // SAFETY: the command reads and writes this structure; memory that it names is reached by
        // raw pointers only.
        unsafe { command::queue(self.file.as_raw_fd(), &mut buffer) }.map(drop)
    }

    /// Waits for the next frame that is filled.
    ///
    /// # Errors
    ///
    /// ioctl(2)'s.
    pub fn dequeue(&self) -> nix::Result<Frame> {
        let mut buffer = Buffer {
            kind: CAPTURE,
            memory: self.memory as u32,
            ..Default::default()
        };
        // SAFETY: the command reads and writes this structure.
        unsafe { command::dequeue(self.file.as_raw_fd(), &mut buffer) }?;
        Ok(Frame {
            index: buffer.index,
            length: buffer.used as usize,
            sequence: buffer.sequence,
        })
    }

    /// Begins to fill.
    ///
    /// # Errors
    ///
    /// ioctl(2)'s.
    pub fn start(&self) -> nix::Result<()> {
        // SAFETY: the command reads this number.
        unsafe { command::stream_on(self.file.as_raw_fd(), &CAPTURE) }.map(drop)
    }

    /// Ends it.
    ///
    /// # Errors
    ///
    /// ioctl(2)'s.
    pub fn stop(&self) -> nix::Result<()> {
        // SAFETY: the command reads this number.
        unsafe { command::stream_off(self.file.as_raw_fd(), &CAPTURE) }.map(drop)
    }
}

/// The device node of the video device with that name.
fn node(wanted: &str) -> Result<std::path::PathBuf> {
    for entry in fs::read_dir("/sys/class/video4linux")? {
        let entry = entry?;
        if fs::read_to_string(entry.path().join("name"))?.trim() == wanted {
            return Ok(std::path::Path::new("/dev").join(entry.file_name()));
        }
    }
    anyhow::bail!("no video device {wanted}")
}
