// SPDX-License-Identifier: GPL-2.0

//! References to loaded modules.

use crate::bindings;
use kernel::{module::this_module, prelude::*};

/// Keeps a module loaded; of built-in code there is nothing to keep.
pub(crate) struct ModuleRef(*mut bindings::module);

// SAFETY: A module reference may be dropped by any task.
unsafe impl Send for ModuleRef {}

impl ModuleRef {
    /// Errors: `ENODEV` when the module is being unloaded.
    ///
    /// # Safety
    ///
    /// `module` is null or a module that is loaded during this call.
    pub(crate) unsafe fn get(module: *mut bindings::module) -> Result<Self> {
        // SAFETY: As the caller promises; null is allowed.
        if unsafe { bindings::try_module_get(module) } {
            Ok(Self(module))
        } else {
            Err(ENODEV)
        }
    }
}

impl ModuleRef {
    /// Keeps this module loaded. Errors: `ENODEV` when it is being unloaded.
    pub(crate) fn of_this_module() -> Result<Self> {
        // SAFETY: This code is loaded.
        unsafe { Self::get(this_module::<crate::LocalModule>().as_ptr()) }
    }
}

impl Drop for ModuleRef {
    fn drop(&mut self) {
        // SAFETY: `get` took the reference.
        unsafe { bindings::module_put(self.0) };
    }
}
