// SPDX-License-Identifier: GPL-2.0
//! The columns of the matrix: what the holder chose, what it does, and how the
//! breaker comes.

use std::fmt;

use pinlease::Policy;

/// What the holder does about the break.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reply {
    /// Closes the lease in time.
    Close,
    /// Unpins in time.
    Unpin,
    /// Shrinks the lease in time.
    Shrink,
    /// Answers when the grace is over.
    Late,
    /// Ignores it.
    Never,
}

/// How the breaker comes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Manner {
    /// Waits as long as it takes.
    Patient,
    /// Gets a signal whose handler has no `SA_RESTART`.
    Interrupted,
    /// Gets a signal whose handler has it.
    Restarted,
    /// Does not wait.
    Nonblocking,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// The lease's policy.
    pub policy: Policy,
    /// What the holder does.
    pub reply: Reply,
    /// How the breaker comes.
    pub manner: Manner,
}

/// All columns.
pub fn all() -> Vec<Column> {
    const REPLIES: [Reply; 5] = [
        Reply::Close,
        Reply::Unpin,
        Reply::Shrink,
        Reply::Late,
        Reply::Never,
    ];
    /// With what the holder does meanwhile.
    const MANNERS: [(Manner, Reply); 3] = [
        (Manner::Interrupted, Reply::Never),
        (Manner::Restarted, Reply::Close),
        (Manner::Nonblocking, Reply::Never),
    ];
    let mut columns = Vec::new();
    for policy in [Policy::Kill, Policy::Revoke, Policy::Block] {
        let patient = REPLIES.map(|reply| (Manner::Patient, reply));
        for (manner, reply) in patient.into_iter().chain(MANNERS) {
            columns.push(Column {
                policy,
                reply,
                manner,
            });
        }
    }
    columns.push(Column {
        policy: Policy::Refuse,
        reply: Reply::Never,
        manner: Manner::Patient,
    });
    columns
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            policy,
            reply,
            manner,
        } = self;
        match (policy, manner) {
            (Policy::Refuse, _) => write!(f, "{policy}"),
            (_, Manner::Patient) => write!(f, "{policy} {}", format!("{reply:?}").to_lowercase()),
            _ => write!(f, "{policy} {}", format!("{manner:?}").to_lowercase()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::all;

    #[test]
    fn titles_are_unique() {
        let titles: BTreeSet<_> = all().iter().map(ToString::to_string).collect();
        assert_eq!(titles.len(), all().len());
        assert!(titles.contains("kill close") && titles.contains("block nonblocking"));
    }
}
