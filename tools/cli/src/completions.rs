// SPDX-License-Identifier: GPL-2.0
//! Writes what shells complete after `pinlease`, from what the command understands.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use clap::{CommandFactory, Parser};
use clap_complete::{generate_to, Shell};
use pinlease_cli::Cli;

/// Writes the completions of pinlease for bash, zsh and fish.
#[derive(Parser)]
#[command(name = "pinlease-completions", version)]
struct Options {
    /// Where to; made if it does not exist.
    folder: PathBuf,
}

/// The shells, and what the file of each is called where it looks for it.
const SHELLS: [(Shell, &str); 3] = [
    (Shell::Bash, "pinlease"),
    (Shell::Zsh, "_pinlease"),
    (Shell::Fish, "pinlease.fish"),
];

fn main() -> Result<()> {
    let Options { folder } = Options::parse();
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    for (shell, name) in SHELLS {
        let written = generate_to(shell, &mut Cli::command(), "pinlease", &folder)
            .with_context(|| format!("completions for {shell}"))?;
        fs::rename(&written, folder.join(name)).with_context(|| written.display().to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap_complete::generate;

    use super::*;

    #[test]
    fn each_shell_knows_each_command() {
        let mut command = Cli::command();
        command.build();
        let names: Vec<String> = command
            .get_subcommands()
            .map(|command| command.get_name().to_owned())
            .collect();
        for (shell, _) in SHELLS {
            let mut text = Vec::new();
            generate(shell, &mut Cli::command(), "pinlease", &mut text);
            let text = String::from_utf8(text).unwrap();
            for name in &names {
                assert!(text.contains(name.as_str()), "{shell} does not know {name}");
            }
        }
    }
}
