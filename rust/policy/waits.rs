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

/// Processes that are followed in the search for a circle.
pub const FOLLOWED: usize = 64;

/// Waits that are looked at on behalf of one breaker, whatever it meets.
pub const LOOKS: usize = 1024;

/// Whether `new` would close a circle of waits, so that nobody in it could ever go on; or so many
/// wait for each other that it would take too long to tell. `looks` is what is left of [`LOOKS`].
///
/// `next` tells for whom a process waits, one after the other in any order: with `None` the first,
/// with a holder the one that follows it.
///
/// A process counts as one, whichever of its threads waits: as for the locks of `fcntl(2)`, a circle
/// is seen where another thread could have answered.
pub fn may_close_circle<P: Copy + Eq>(
    new: Wait<P>,
    looks: &mut usize,
    mut next: impl FnMut(P, Option<P>) -> Option<P>,
) -> bool {
    // The first `count` were reached; of these, `done` were followed.
    let mut reached = [new.holder; FOLLOWED];
    let (mut done, mut count) = (0, 1);
    while done < count {
        let waiter = reached[done];
        if waiter == new.waiter {
            return true;
        }
        let mut last = None;
        while let Some(holder) = next(waiter, last) {
            let known = reached[..count].contains(&holder);
            if *looks == 0 || (!known && count == FOLLOWED) {
                return true;
            }
            *looks -= 1;
            if !known {
                reached[count] = holder;
                count += 1;
            }
            last = Some(holder);
        }
        done += 1;
    }
    false
}
