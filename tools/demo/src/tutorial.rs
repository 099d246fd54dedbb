// SPDX-License-Identifier: GPL-2.0
//! The commands of Documentation/tutorial.rst, and what it says that they print.
//!
//! In literal blocks, `$` begins a command on this machine, `#` one in the guest; a line that ends
//! in a backslash goes on; all other lines are what the command before prints, word for word.

use std::fmt::Write as _;

use anyhow::{bail, ensure, Context, Result};

/// Before the output of each command: no command prints that.
const MARK: char = '\u{1e}';

/// A command and what it prints, line by line.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Step {
    /// As it is typed.
    pub command: String,
    /// What it prints.
    pub output: Vec<String>,
}

/// What is to be typed.
#[derive(Debug, Default)]
pub struct Tutorial {
    /// On this machine.
    pub host: Vec<Step>,
    /// In the guest that the last of `host` boots.
    pub guest: Vec<Step>,
}

impl Tutorial {
    /// Reads the document.
    ///
    /// # Errors
    ///
    /// Output without a command, no command that boots a guest, no command in it.
    pub fn parse(document: &str) -> Result<Self> {
        let mut tutorial = Self::default();
        let (mut literal, mut in_guest, mut goes_on) = (false, false, false);
        for line in document.lines() {
            let Some(text) = line.strip_prefix("  ") else {
                literal = line == "::" || literal && line.is_empty();
                continue;
            };
            if !literal {
                continue;
            }
            let (begin, guest) = match text.split_at_checked(2) {
                Some(("$ ", command)) => (Some(command), false),
                Some(("# ", command)) => (Some(command), true),
                _ => (None, in_guest),
            };
            in_guest = guest;
            let steps = if guest {
                &mut tutorial.guest
            } else {
                &mut tutorial.host
            };
            match (begin, steps.last_mut()) {
                (Some(command), _) => steps.push(Step {
                    command: command.into(),
                    ..Step::default()
                }),
                (None, Some(step)) if goes_on => step.command += &format!("\n{text}"),
                (None, Some(step)) => step.output.push(text.into()),
                (None, None) => bail!("output without a command: {text}"),
            }
            goes_on = text.ends_with('\\');
        }
        ensure!(!tutorial.guest.is_empty(), "no command for the guest");
        tutorial.boot().context("no command that boots a guest")?;
        Ok(tutorial)
    }

    /// The command that boots the guest and has a shell in it.
    #[must_use]
    pub fn boot(&self) -> Option<&str> {
        let last = self.host.last()?.command.as_str();
        (last.starts_with("scripts/vm ") && last.ends_with(" -- bash")).then_some(last)
    }

    /// All commands of the guest, as a script for bash that ends with the first that fails. Of a pipe the last
    /// command counts, as in a shell that somebody types into.
    #[must_use]
    pub fn script(&self) -> String {
        let mut script = String::from("exec 2>&1\nset -eu\n");
        for step in &self.guest {
            let _ = write!(script, "echo; echo {MARK}\n{}\n", step.command);
        }
        script
    }

    /// What the script printed must be what the document says.
    ///
    /// # Errors
    ///
    /// The first command that was not reached, or printed something else.
    pub fn compare(&self, printed: &str) -> Result<()> {
        let mut outputs = printed.split(MARK).skip(1);
        for step in &self.guest {
            let command = &step.command;
            let output = outputs
                .next()
                .with_context(|| format!("# {command}\nwas not reached"))?;
            // The end of the line with the mark, and the empty line before the next one.
            let lines: Vec<_> = output.trim_matches('\n').lines().collect();
            ensure!(
                lines == step.output,
                "# {command}\nprints\n{}\nand the document says\n{}",
                lines.join("\n"),
                step.output.join("\n")
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
Title

::

  $ scripts/vm --file x \\
      --file y -- bash

no code

::

  # echo a; echo b
  a
  b
  # true

end
";

    #[test]
    fn commands_and_output_are_found() {
        let tutorial = Tutorial::parse(TEXT).unwrap();
        assert_eq!(
            tutorial.boot(),
            Some("scripts/vm --file x \\\n    --file y -- bash")
        );
        let commands: Vec<_> = tutorial.guest.iter().map(|step| &step.command).collect();
        assert_eq!(commands, ["echo a; echo b", "true"]);
        assert_eq!(tutorial.guest[0].output, ["a", "b"]);
    }

    #[test]
    fn each_difference_is_seen() {
        let tutorial = Tutorial::parse(TEXT).unwrap();
        let right = format!("\n{MARK}\na\nb\n\n{MARK}\n");
        tutorial.compare(&right).unwrap();
        for wrong in [
            right.replace('b', "c"),
            right.replace("b\n", ""),
            right.clone() + "more\n",
            right.trim_end().trim_end_matches(MARK).into(),
        ] {
            assert!(tutorial.compare(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn without_commands_it_is_no_tutorial() {
        assert!(Tutorial::parse("Title\n").is_err());
        assert!(Tutorial::parse("::\n\n  # true\n").is_err());
    }
}
