// SPDX-License-Identifier: GPL-2.0

//! Installing the hooks for the first lease and removing them after the last.
//!
//! Addresses come from the linker (exported functions), from the operation tables of the leased
//! file (whatever its filesystem is called), or from a kprobe that is registered and removed.
//!
//! Lock order: [`static@STATE`] is taken inside of the registry's `CHANGES`, and around ftrace's own locks.

use super::{handler, handler::ACTIVE, Hook, Slot, Source, HOOKS};
use crate::{
    bindings,
    sys::{file::FileExt, log, module::ModuleRef, symbol},
    trace,
};
use core::cell::UnsafeCell;
use core::sync::atomic::Ordering;
use kernel::{fs::File, global_lock, prelude::*};

/// What is installed.
struct State {
    registered: bool,
    /// Filesystem modules whose functions are hooked.
    modules: KVec<ModuleRef>,
}

global_lock! {
    // SAFETY: Initialized in `init`, before first use.
    unsafe(uninit) static STATE: Mutex<State> = State {
        registered: false,
        modules: KVec::new(),
    };
}

struct Ops(UnsafeCell<bindings::ftrace_ops>);

// SAFETY: Only handed to ftrace, which has locks of its own, with `STATE` held.
unsafe impl Sync for Ops {}

static OPS: Ops = Ops(UnsafeCell::new(pin_init::zeroed()));

/// Prepares the table. Once, before anything else here.
pub(crate) fn init() {
    // SAFETY: Called once, when the module is loaded.
    unsafe { STATE.init() };
    // SAFETY: Nobody else uses it yet.
    let ops = unsafe { &mut *OPS.0.get() };
    ops.func = Some(handler::handler);
    ops.flags = (bindings::FTRACE_OPS_FL_IPMODIFY
        | bindings::FTRACE_OPS_FL_PERMANENT
        | bindings::FTRACE_OPS_FL_DYNAMIC) as c_ulong;
}

/// Installs every hook that leases of `file` need, and waits until every call has slept or returned
/// that entered a function before it was hooked: one that sleeps has a lock, or waits for one, and
/// can be waited for by that. May sleep.
///
/// Errors: `EBUSY` when something else modifies one of the functions, `EOPNOTSUPP` when one does
/// not exist or cannot be traced. Then nothing has changed. True when some were.
pub(crate) fn install_for(file: &File) -> Result<bool> {
    let mut state = STATE.lock();
    let before = ACTIVE.len();
    let result = add_targets(file).and_then(|()| activate(&mut state, before, file));
    let installed = ACTIVE.len() > before;
    if result.is_ok() && installed {
        trace_each(before, trace::hook_install);
        // SAFETY: Not in an RCU-tasks section; process context.
        unsafe { bindings::synchronize_rcu_tasks() };
    }
    result.map_err(|error| {
        forget_from(before);
        match error {
            EBUSY | ENOMEM => error,
            _ => EOPNOTSUPP,
        }
    })?;
    Ok(installed)
}

/// Whether any hook is installed. May sleep.
pub(crate) fn is_installed() -> bool {
    STATE.lock().registered
}

/// Removes all hooks. Calls that run in one go on, see [`quiesce`]. May sleep.
pub(crate) fn remove() {
    let mut state = STATE.lock();
    if !state.registered {
        return;
    }
    // SAFETY: It is registered.
    let error = unsafe { bindings::unregister_ftrace_function(OPS.0.get()) };
    if error != 0 {
        pr_err!(
            "cannot remove the hooks: error {error}; they stay, and cost time, until the last lease \
             that comes next is gone\n"
        );
        return;
    }
    empty_filter();
    state.registered = false;
    trace_each(0, trace::hook_remove);
    forget_from(0);
    // With its memory: nobody drops a static when the module goes.
    state.modules = KVec::new();
    log::hooks(false);
}

/// Waits until no call is in a hook's code. Only for unloading, after [`remove`]. May sleep.
pub(crate) fn quiesce() {
    // SAFETY: Not in an RCU-tasks or SRCU section; all three may be called from process context.
    // The first: whoever was sent to a replacement has entered it (SRCU) or returned.
    unsafe { bindings::synchronize_rcu_tasks() };
    // SAFETY: As above. All have left the replacement's body.
    unsafe { bindings::pinlease_hook_synchronize() };
    // SAFETY: As above. And executed its last instructions.
    unsafe { bindings::synchronize_rcu_tasks() };
}

fn add_targets(file: &File) -> Result {
    let filesystem = file.super_block().filesystem_name();
    for &hook in HOOKS {
        if hook
            .filesystem
            .is_some_and(|only| only.as_bytes() != filesystem.to_bytes())
        {
            continue;
        }
        // The module that has the function stays as long as it is hooked, so the address does, too.
        if matches!(hook.source, Source::Symbol(_)) && hook.targets().next().is_some() {
            continue;
        }
        let Some(target) = find(hook, file)? else {
            continue;
        };
        if hook.targets().any(|known| known == target) {
            continue;
        }
        let slot = slot_for(hook, target)?;
        ACTIVE.push(target, slot)?;
        slot.set_active(true);
    }
    Ok(())
}

/// The slot that had `target` before, or a free one.
fn slot_for(hook: &'static Hook, target: usize) -> Result<&'static Slot> {
    let with_target = |wanted| hook.slots.iter().find(move |slot| slot.target() == wanted);
    if let Some(slot) = with_target(target) {
        return Ok(slot);
    }
    if with_target(0).is_none() {
        // Addresses of filesystem modules that were unloaded and came back elsewhere.
        quiesce();
        for slot in hook.slots.iter().filter(|slot| !slot.is_active()) {
            slot.target.store(0, Ordering::Release);
        }
    }
    let slot = with_target(0).ok_or(ENOSPC)?;
    slot.target.store(target, Ordering::Release);
    Ok(slot)
}

/// The address that `hook` replaces for `file`; `None` where the filesystem has no such operation.
fn find(hook: &Hook, file: &File) -> Result<Option<usize>> {
    let address = match hook.source {
        Source::Function(address) => Some(address as usize),
        Source::Symbol(name) => Some(symbol::address_of(name).inspect_err(|_| {
            log::no_function(hook.name);
        })?),
        Source::FileOperation(member) => member(file.operations()).map(|f| f as usize),
        Source::MappingOperation(member) => member(file.mapping().operations()).map(|f| f as usize),
        Source::InodeOperation(member) => member(file.inode().operations()).map(|f| f as usize),
    };
    Ok(address)
}

/// Tells ftrace of the addresses from `before` on.
fn activate(state: &mut State, before: usize, file: &File) -> Result {
    let mut addresses = ACTIVE.addresses_from(before)?;
    if addresses.is_empty() {
        return Ok(());
    }
    let module = file.super_block().filesystem_module()?;
    state.modules.reserve(1, GFP_KERNEL)?;
    add_to_filter(&mut addresses)?;
    if !state.registered {
        // SAFETY: `OPS` is static and complete; its function and the replacements stay until
        // `quiesce` has returned.
        let error = unsafe { bindings::register_ftrace_function(OPS.0.get()) };
        if error != 0 {
            empty_filter();
            return Err(conflict(error));
        }
        state.registered = true;
        log::hooks(true);
    }
    state.modules.push(module, GFP_KERNEL)?;
    Ok(())
}

fn add_to_filter(addresses: &mut KVec<c_ulong>) -> Result {
    // SAFETY: The addresses are those of functions of the kernel or of modules that we or the
    // leased file keep loaded.
    let error = unsafe {
        bindings::ftrace_set_filter_ips(
            OPS.0.get(),
            addresses.as_mut_ptr(),
            addresses.len() as c_uint,
            0,
            0,
        )
    };
    match error {
        0 => Ok(()),
        error => Err(conflict(error)),
    }
}

/// Forgets all addresses, of which ftrace sends no more callers.
fn empty_filter() {
    const RESET: c_int = 1;
    // SAFETY: `OPS` is static; no address is read.
    unsafe { bindings::ftrace_set_filter_ips(OPS.0.get(), core::ptr::null_mut(), 0, 0, RESET) };
}

/// Says what stands in the way.
fn conflict(error: c_int) -> Error {
    if error == EBUSY.to_errno() {
        log::hook_taken();
        EBUSY
    } else {
        log::hook_refused(error);
        EOPNOTSUPP
    }
}

/// Traces the hook of each address from index `first` on.
fn trace_each(first: usize, event: fn(&str)) {
    for slot in ACTIVE.slots_from(first) {
        let is_its = |hook: &&&Hook| hook.slots.iter().any(|other| core::ptr::eq(other, slot));
        if let Some(hook) = HOOKS.iter().find(is_its) {
            event(hook.name);
        }
    }
}

/// Takes all addresses from index `len` on out of the table.
fn forget_from(len: usize) {
    for slot in ACTIVE.slots_from(len) {
        slot.set_active(false);
    }
    ACTIVE.truncate(len);
}
