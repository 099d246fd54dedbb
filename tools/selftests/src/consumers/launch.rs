// SPDX-License-Identifier: GPL-2.0
//! How a program is started: as it is, or by `pinlease run`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::harness::{Context, Side};

/// How a program is started.
#[derive(Clone, Debug)]
pub enum Launch {
    /// As it is.
    Plain,
    /// By `pinlease run`.
    Leased {
        /// The command pinlease.
        pinlease: PathBuf,
        /// More options for it.
        options: &'static [&'static str],
    },
}

impl Launch {
    /// The way of the context's side.
    pub fn of(context: &Context) -> Self {
        match context.side {
            Side::Stock => Self::Plain,
            Side::Pinlease | Side::Grant => Self::leased(context, &[]),
        }
    }

    /// Under a lease, with `options`.
    pub fn leased(context: &Context, options: &'static [&'static str]) -> Self {
        Self::Leased {
            pinlease: context.command.clone(),
            options,
        }
    }

    /// The command that starts `command` so, with `memory` leased.
    pub fn apply(&self, command: Command, memory: &Path) -> Command {
        let Self::Leased { pinlease, options } = self else {
            return command;
        };
        let mut leased = Command::new(pinlease);
        leased
            .arg("run")
            .args(*options)
            .arg("--lease")
            .arg(memory)
            .arg("--")
            .arg(command.get_program())
            .args(command.get_args());
        leased
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_not_changed() {
        let launch = Launch::Leased {
            pinlease: "p".into(),
            options: &["--policy", "block"],
        };
        let mut command = Command::new("fio");
        command.args(["--name=x", "y z"]);
        let leased = launch.apply(command, Path::new("/m"));
        assert_eq!(leased.get_program(), "p");
        let arguments: Vec<_> = leased.get_args().collect();
        let expected = "run --policy block --lease /m -- fio --name=x";
        let mut expected: Vec<_> = expected.split(' ').collect();
        expected.push("y z");
        assert_eq!(arguments, expected);
    }
}
