// SPDX-License-Identifier: GPL-2.0

//! The administrator's limits: module parameters.

use crate::module_parameters;

/// Whether snapshots shall use the reserve even when memory is free: what tests load the module
/// with.
pub(crate) fn reserve_only() -> bool {
    module_parameters::reserve_only.value()
}

/// Leases that one user may have at a time.
pub(crate) fn leases_per_user() -> u64 {
    module_parameters::leases_per_user.value()
}

/// Breakers of one user that may wait at a time.
pub(crate) fn breakers_per_user() -> u64 {
    module_parameters::breakers_per_user.value()
}

/// Milliseconds that an unprivileged holder may make others wait.
pub(crate) fn grace_max_ms() -> u32 {
    module_parameters::grace_max_ms.value()
}

/// Pins that one lease may have at a time.
pub(crate) fn pins_per_lease() -> u64 {
    module_parameters::pins_per_lease.value()
}
