// SPDX-License-Identifier: GPL-2.0
//! Who yields.

use std::{fmt, str::FromStr};

use pinlease_uapi as uapi;

/// What happens when a conflicting operation meets the lease.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Policy {
    /// The holder is killed.
    #[default]
    Kill,
    /// The holder's pins are taken away.
    Revoke,
    /// The breaker waits.
    Block,
    /// The breaker gets `ETXTBSY` at once.
    Refuse,
}

impl Policy {
    /// All of them, by number.
    pub const ALL: [Self; 4] = [Self::Kill, Self::Revoke, Self::Block, Self::Refuse];

    const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Revoke => "revoke",
            Self::Block => "block",
            Self::Refuse => "refuse",
        }
    }

    pub(crate) const fn to_raw(self) -> u32 {
        match self {
            Self::Kill => uapi::PINLEASE_POLICY_KILL,
            Self::Revoke => uapi::PINLEASE_POLICY_REVOKE,
            Self::Block => uapi::PINLEASE_POLICY_BLOCK,
            Self::Refuse => uapi::PINLEASE_POLICY_REFUSE,
        }
    }

    /// The policy of number `raw`; a newer module may have more of them.
    pub fn from_raw(raw: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.to_raw() == raw)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Policy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|policy| policy.name() == text)
            .ok_or("a policy is one of: kill, revoke, block, refuse")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_parse_as_they_print() {
        for policy in Policy::ALL {
            assert_eq!(policy.to_string().parse(), Ok(policy));
            assert_eq!(Policy::from_raw(policy.to_raw()), Some(policy));
        }
        assert!("murder".parse::<Policy>().is_err());
        assert_eq!(Policy::from_raw(99), None);
    }
}
