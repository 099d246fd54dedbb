// SPDX-License-Identifier: GPL-2.0

//! Direct-I/O writes: they throw cached pages out of the file, under the device that writes them.
//! Buffered writes are no conflict.
//!
//! Who writes from user memory, and aio and io_uring, hold freeze protection (and a lock of the file
//! position, at most); splice(2) holds a lock of its pipe, and does not wait.

use crate::{
    bindings,
    breaker::{self, Operation},
    conflict::{self, Place},
    policy::lease_state::Patience,
    sys::{
        file::FileExt,
        kiocb::{Kiocb, Write},
    },
};
use kernel::prelude::*;
use pinlease_macros::hook;

#[hook(file_operation = write_iter)]
fn write_iter(original: Original, kiocb: &Kiocb, from: *mut bindings::iov_iter) -> isize {
    let passage = match Write::direct(kiocb, from) {
        Some(write) => {
            let patience = if write.may_hold_locks() {
                Patience::HoldsLocks
            } else if write.is_probe() {
                Patience::Probes
            } else {
                breaker::patience(write.file().is_nonblocking())
            };
            let place = Place::new(write.file().mapping(), write.range(), patience);
            match conflict::pass(&[place], Operation::DirectWrite, write.level()) {
                Ok(passage) => Some(passage),
                Err(error) => return error.to_errno() as isize,
            }
        }
        None => None,
    };
    let result = original.call(kiocb, from);
    if result == EIOCBQUEUED.to_errno() as isize {
        if let Some(passage) = &passage {
            passage.ends_later();
        }
    }
    result
}
