// SPDX-License-Identifier: GPL-2.0
//! Issues commands that are wrong in one way.

use std::os::fd::RawFd;

use nix::errno::Errno;
use pinlease::uapi;

use crate::operation::Malformed;

/// Bytes that no structure may have more of.
const MOST: usize = 4096;

/// An argument, aligned as any structure.
struct Argument([u64; MOST / 8 + 1]);

impl Argument {
    fn set(&mut self, offset: usize, value: u32) {
        let shift = 8 * (offset % 8);
        self.0[offset / 8] |= u64::from(value) << shift;
    }
}

/// The command's number, and its structure's size and where something reserved is in it.
fn layout(command: u8) -> (u32, usize, usize) {
    macro_rules! of {
        ($number:ident, $type:ident, $field:ident) => {
            (
                uapi::$number,
                size_of::<uapi::$type>(),
                std::mem::offset_of!(uapi::$type, $field),
            )
        };
    }
    match command {
        0 => of!(PINLEASE_IOC_ACQUIRE_NR, pinlease_acquire, reserved),
        1 => of!(PINLEASE_IOC_PIN_NR, pinlease_pin, flags),
        2 => of!(PINLEASE_IOC_UNPIN_NR, pinlease_unpin, reserved),
        3 => of!(PINLEASE_IOC_MARK_NR, pinlease_mark, reserved),
        4 => of!(PINLEASE_IOC_QUERY_NR, pinlease_query, exports),
        5 => of!(PINLEASE_IOC_SHRINK_NR, pinlease_shrink, reserved),
        6 => of!(PINLEASE_IOC_NEXT_NR, pinlease_next, reserved),
        7 => of!(PINLEASE_IOC_WATCH_NR, pinlease_watch, flags),
        _ => of!(PINLEASE_IOC_EXPORT_NR, pinlease_export, open_flags),
    }
}

/// Issues command `command`, made wrong.
///
/// # Errors
///
/// What the kernel says.
pub fn issue(fd: RawFd, command: u8, how: Malformed) -> nix::Result<u64> {
    let (mut number, size, reserved) = layout(command);
    let mut argument = Argument([0; MOST / 8 + 1]);
    argument.set(0, size as u32);
    let mut address = argument.0.as_mut_ptr() as usize;
    match how {
        Malformed::BadAddress => address = 8,
        Malformed::TooSmall => argument.0[0] = 4,
        Malformed::TooLarge => argument.0[0] = MOST as u64 + 8,
        Malformed::NonzeroTail => {
            argument.0[0] = MOST as u64;
            argument.set(MOST - 4, 1);
        }
        Malformed::Reserved => argument.set(reserved, 1 << 31),
        Malformed::WrongNumber => number |= 0x3f,
        Malformed::WrongType => number ^= 0x100,
        Malformed::WrongDescriptor => (),
    }
    // SAFETY: the commands read and write at most `MOST` bytes of the argument, or the kernel finds
    // that nothing is mapped there.
    let result = unsafe { libc::ioctl(fd, libc::Ioctl::from(number), address) };
    Errno::result(result).map(|value| value as u64)
}
