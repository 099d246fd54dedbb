// SPDX-License-Identifier: GPL-2.0

//! Acting with somebody else's credentials.

use crate::bindings;
use kernel::{cred::Credential, types::NotThreadSafe};

/// While it lives, the current task acts with other credentials.
pub(crate) struct Acting<'a> {
    before: *const bindings::cred,
    _borrowed: core::marker::PhantomData<&'a Credential>,
    _task: NotThreadSafe,
}

/// Makes the current task act with `credential`.
pub(crate) fn act_as(credential: &Credential) -> Acting<'_> {
    Acting {
        // SAFETY: The credential outlives the guard, which restores the former one.
        before: unsafe { bindings::pinlease_override_creds(credential.as_ptr()) },
        _borrowed: core::marker::PhantomData,
        _task: NotThreadSafe,
    }
}

impl Drop for Acting<'_> {
    fn drop(&mut self) {
        // SAFETY: `before` is what `override_creds` returned to this task.
        unsafe { bindings::pinlease_revert_creds(self.before) };
    }
}
