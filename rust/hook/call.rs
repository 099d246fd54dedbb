// SPDX-License-Identifier: GPL-2.0

//! Calling a hooked function from its replacement.
//!
//! Who calls a hooked function comes to ftrace first, at the function's very beginning, and
//! [`handler`](super::handler) sends him to the replacement. That enters the original behind the call of
//! ftrace, as BPF's trampolines do: there is nothing before it but an `ENDBR`, and ftrace and
//! all who trace the function have seen the call.

use super::Slot;
use crate::bindings;
use core::arch::asm;

/// Calls the function that `slot` replaces.
///
/// # Safety
///
/// `arguments` are valid for that function.
#[inline(never)]
pub(crate) unsafe fn original(slot: &Slot, arguments: &[usize]) -> usize {
    // SAFETY: ftrace's call is the first thing in a function, and the body follows it; the arguments are
    // as for this function.
    unsafe { function(slot.body(), arguments) }
}

/// Calls the function at `target`, which may lack an `ENDBR`.
///
/// # Safety
///
/// `target` is the entry of a function with as many integer arguments, or what follows ftrace's call
/// there; and they are valid.
pub(crate) unsafe fn function(target: usize, arguments: &[usize]) -> usize {
    let register = |index: usize| arguments.get(index).copied().unwrap_or(0);
    let result: usize;
    // SAFETY: `pinlease_jump` goes to %r11 and changes no other register; the function there
    // obeys the C calling convention, whose clobbers are declared.
    unsafe {
        asm!(
            "call {jump}",
            jump = sym bindings::pinlease_jump,
            in("rdi") register(0),
            in("rsi") register(1),
            in("rdx") register(2),
            in("rcx") register(3),
            in("r8") register(4),
            in("r9") register(5),
            in("r11") target,
            out("rax") result,
            clobber_abi("C"),
        );
    }
    result
}
