// SPDX-License-Identifier: GPL-2.0
//! Clang's idea of the command numbers against nix's.

use nix::{request_code_none, request_code_read, request_code_readwrite, request_code_write};
use pinlease_uapi::*;

/// Checks `NR == request_code!(type, number, size of the structure)`.
macro_rules! same {
    ($nr:ident, $code:ident, $ty:ident, $number:literal, $arg:ty) => {
        assert_eq!(
            u64::from($nr),
            $code!($ty, $number, size_of::<$arg>()),
            stringify!($nr)
        )
    };
}

#[test]
fn pinlease() {
    const T: u32 = PINLEASE_IOC_TYPE;
    same!(
        PINLEASE_IOC_ACQUIRE_NR,
        request_code_write,
        T,
        0,
        pinlease_acquire
    );
    same!(
        PINLEASE_IOC_PIN_NR,
        request_code_readwrite,
        T,
        1,
        pinlease_pin
    );
    same!(
        PINLEASE_IOC_UNPIN_NR,
        request_code_write,
        T,
        2,
        pinlease_unpin
    );
    same!(
        PINLEASE_IOC_MARK_NR,
        request_code_write,
        T,
        3,
        pinlease_mark
    );
    same!(
        PINLEASE_IOC_QUERY_NR,
        request_code_readwrite,
        T,
        4,
        pinlease_query
    );
    same!(
        PINLEASE_IOC_SHRINK_NR,
        request_code_write,
        T,
        5,
        pinlease_shrink
    );
    same!(
        PINLEASE_IOC_NEXT_NR,
        request_code_readwrite,
        T,
        6,
        pinlease_next
    );
    same!(
        PINLEASE_IOC_WATCH_NR,
        request_code_write,
        T,
        7,
        pinlease_watch
    );
    same!(
        PINLEASE_IOC_EXPORT_NR,
        request_code_write,
        T,
        8,
        pinlease_export
    );
    same!(
        PINLEASE_IOC_QUIESCE_NR,
        request_code_readwrite,
        T,
        9,
        pinlease_quiesce
    );
}

/// Programs and modules of different age meet: what is published keeps its
/// size, and grows only at its end.
#[test]
fn sizes() {
    assert_eq!(size_of::<pinlease_acquire>(), 40);
    assert_eq!(size_of::<pinlease_quiesce>(), 16);
    assert_eq!(size_of::<pinlease_pin>(), 40);
    assert_eq!(size_of::<pinlease_unpin>(), 16);
    assert_eq!(size_of::<pinlease_mark>(), 24);
    assert_eq!(size_of::<pinlease_shrink>(), 24);
    assert_eq!(size_of::<pinlease_event>(), 96);
    assert_eq!(size_of::<pinlease_watch>(), 8);
    assert_eq!(size_of::<pinlease_export>(), 32);
    // The first version of the query ended before `id`, the second before
    // `granted_bytes`.
    assert_eq!(core::mem::offset_of!(pinlease_query, id), 72);
    assert_eq!(core::mem::offset_of!(pinlease_query, granted_bytes), 88);
    assert_eq!(size_of::<pinlease_query>(), 104);
    assert_eq!(core::mem::offset_of!(pinlease_next, granted_bytes), 120);
    assert_eq!(size_of::<pinlease_next>(), 136);
}

#[test]
fn dmasim() {
    const T: u32 = DMASIM_IOC_TYPE;
    same!(
        DMASIM_IOC_ATTACH_NR,
        request_code_write,
        T,
        0x40,
        dmasim_attach
    );
    same!(
        DMASIM_IOC_PIN_RAW_NR,
        request_code_write,
        T,
        0x41,
        dmasim_pin_raw
    );
    same!(
        DMASIM_IOC_WRITE_NR,
        request_code_write,
        T,
        0x42,
        dmasim_write
    );
    same!(
        DMASIM_IOC_START_NR,
        request_code_write,
        T,
        0x43,
        dmasim_start
    );
    assert_eq!(u64::from(DMASIM_IOC_STOP_NR), request_code_none!(T, 0x44));
    same!(
        DMASIM_IOC_STATUS_NR,
        request_code_read,
        T,
        0x45,
        dmasim_status
    );
    same!(
        DMASIM_IOC_IMPORT_NR,
        request_code_write,
        T,
        0x46,
        dmasim_import
    );
}

#[test]
fn edu() {
    const T: u32 = EDU_IOC_TYPE;
    same!(EDU_IOC_ATTACH_NR, request_code_write, T, 0x40, edu_attach);
    same!(EDU_IOC_PIN_RAW_NR, request_code_write, T, 0x41, edu_pin_raw);
    same!(EDU_IOC_START_NR, request_code_write, T, 0x42, edu_start);
    same!(EDU_IOC_WAIT_NR, request_code_write, T, 0x43, edu_wait);
    assert_eq!(u64::from(EDU_IOC_STOP_NR), request_code_none!(T, 0x44));
    same!(EDU_IOC_STATUS_NR, request_code_read, T, 0x45, edu_status);
}
