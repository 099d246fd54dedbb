// SPDX-License-Identifier: GPL-2.0

//! Calling a hooked function from its replacement.
//!
//! The original is entered at its very beginning, ftrace's call included, so ftrace asks our
//! [`handler`](super::handler) again, and that must tell this call from all others. The return
//! address does not tell: a compiler may turn our call, or somebody else's, into a tail call.
//! `%rax` does: the calling convention leaves it undefined at the entry of a function without
//! variable arguments, ftrace saves and restores it, so we put the slot's own address there,
//! which nobody else has reason to hold. The handler takes it out again.

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
    // SAFETY: As for this function.
    unsafe { function(slot.target(), slot.cookie(), arguments) }
}

/// Calls the function at `target`, which may lack an `ENDBR`.
///
/// # Safety
///
/// `target` is the entry of a function with as many integer arguments, and they are valid.
pub(crate) unsafe fn function(target: usize, rax: usize, arguments: &[usize]) -> usize {
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
            inout("rax") rax => result,
            clobber_abi("C"),
        );
    }
    result
}
