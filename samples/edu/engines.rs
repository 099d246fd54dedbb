// SPDX-License-Identifier: GPL-2.0

//! All devices that the driver has.

use crate::engine::Engine;
use kernel::{prelude::*, sync::Arc};

kernel::sync::global_lock! {
    // SAFETY: `init` is called when the module is loaded, before there is a device.
    unsafe(uninit) static ENGINES: Mutex<KVec<Arc<Engine>>> = KVec::new();
}

/// To be called once, before anything else.
pub(crate) fn init() {
    // SAFETY: Called once, from the module's initialisation.
    unsafe { ENGINES.init() };
}

/// A place in the list. Dropping takes the engine out of service.
pub(crate) struct Listed(Arc<Engine>);

impl Listed {
    /// Errors: `ENOMEM`.
    pub(crate) fn new(engine: Arc<Engine>) -> Result<Self> {
        ENGINES.lock().push(engine.clone(), GFP_KERNEL)?;
        Ok(Self(engine))
    }

    /// Nobody gets it any more, and it does nothing any more. May be called again.
    pub(crate) fn retire(&self) {
        let mut engines = ENGINES.lock();
        engines.retain(|other| !Arc::ptr_eq(other, &self.0));
        if engines.is_empty() {
            // Nobody drops statics when the module is unloaded.
            *engines = KVec::new();
        }
        drop(engines);
        self.0.retire();
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.retire();
    }
}

/// An engine that nobody has. Errors: `ENODEV`: there are none; `EBUSY`: all are taken.
pub(crate) fn claim() -> Result<Arc<Engine>> {
    let engines = ENGINES.lock();
    if engines.is_empty() {
        return Err(ENODEV);
    }
    let free = engines.iter().find(|engine| engine.claim());
    free.cloned().ok_or(EBUSY)
}
