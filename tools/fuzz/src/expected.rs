// SPDX-License-Identifier: GPL-2.0
//! What may come of a call.

use std::fmt;

use nix::errno::Errno;

use crate::call::Outcome;

/// A set of outcomes: bit 0 is success, bit N the errno N.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Expected(u128);

impl Expected {
    /// It must succeed.
    pub const SUCCESS: Self = Self(1);

    /// It may fail so, too.
    pub const fn or(self, errno: Errno) -> Self {
        Self(self.0 | (1 << (errno as u32)))
    }

    /// Either.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// It must fail, with one of these.
    pub fn failure(errnos: &[Errno]) -> Self {
        errnos.iter().fold(Self(0), |set, &errno| set.or(errno))
    }

    /// If there is a reason to fail, it must fail for one of the reasons.
    pub fn unless(reasons: &[(bool, Errno)]) -> Self {
        let failures = reasons.iter().filter(|(holds, _)| *holds);
        match failures.fold(Self(0), |set, &(_, errno)| set.or(errno)) {
            Self(0) => Self::SUCCESS,
            failures => failures,
        }
    }

    /// Whether this may be.
    pub fn allows(self, outcome: &Outcome) -> bool {
        u32::try_from(outcome.errno).is_ok_and(|errno| errno < 128 && self.0 & (1 << errno) != 0)
    }

    /// For who waits where others have to come back: then it ends as `end` says.
    pub fn waiting(self, end: Self) -> Self {
        let again = 1 << (Errno::EAGAIN as u32);
        match self.0 & again {
            0 => self,
            _ => Self((self.0 & !again) | end.0),
        }
    }

    /// Whether it may succeed.
    pub fn may_succeed(self) -> bool {
        self.0 & 1 != 0
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = (0..128).filter(|bit| self.0 & (1 << bit) != 0);
        let names = names.map(|bit| match bit {
            0 => "success".to_owned(),
            errno => format!("{:?}", Errno::from_raw(errno)),
        });
        f.write_str(&names.collect::<Vec<_>>().join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_exclude_success() {
        let expected = Expected::unless(&[(false, Errno::EINVAL), (true, Errno::ENXIO)]);
        assert!(!expected.allows(&Outcome::default()));
        assert!(expected.allows(&Outcome::of(Err(Errno::ENXIO))));
        assert!(!expected.allows(&Outcome::of(Err(Errno::EINVAL))));
        assert_eq!(
            Expected::unless(&[(false, Errno::EINVAL)]),
            Expected::SUCCESS
        );
        assert_eq!(expected.or(Errno::EINTR).to_string(), "EINTR or ENXIO");
    }
}
