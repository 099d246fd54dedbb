// SPDX-License-Identifier: GPL-2.0

//! Who waits for whom without end: breakers of leases with the policy to block.

/// A process that waits for another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wait<P> {
    /// The breaker's process.
    pub waiter: P,
    /// The holder's process.
    pub holder: P,
}

/// Whether `new` would close a circle with `waits`, so that nobody in it could ever go on.
///
/// A process counts as one, whichever of its threads waits: as for the locks of `fcntl(2)`, a circle
/// is seen where another thread could have answered.
///
/// Takes time in the square of the number of waits, of which there are few, and no memory.
pub fn closes_circle<P: Copy + Eq>(waits: &mut [Wait<P>], new: Wait<P>) -> bool {
    // The first `found` waits are of processes that were reached; of these, `looked` were followed.
    let (mut found, mut looked) = (0, 0);
    let mut at = new.holder;
    while at != new.waiter {
        let unreached = found;
        for index in unreached..waits.len() {
            if waits[index].waiter == at {
                waits.swap(index, found);
                found += 1;
            }
        }
        if looked == found {
            return false;
        }
        at = waits[looked].holder;
        looked += 1;
    }
    true
}
