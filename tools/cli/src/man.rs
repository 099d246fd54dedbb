// SPDX-License-Identifier: GPL-2.0
//! Writes the man pages: names, synopsis and options come from what the command
//! understands, the rest from `man/`.

use std::{fs, io, path::PathBuf};

use anyhow::{Context, Result};
use clap::{Command, CommandFactory, Parser};
use clap_mangen::Man;
use pinlease_cli::Cli;

/// Writes the man pages of pinlease.
#[derive(Parser)]
#[command(name = "pinlease-man", version)]
struct Options {
    /// Where to; made if it does not exist.
    folder: PathBuf,
}

/// The hand-written sections of each page.
const SECTIONS: [(&str, &str); 7] = [
    ("pinlease", include_str!("../man/pinlease.man")),
    ("pinlease-ls", include_str!("../man/ls.man")),
    ("pinlease-top", include_str!("../man/top.man")),
    ("pinlease-watch", include_str!("../man/watch.man")),
    ("pinlease-hold", include_str!("../man/hold.man")),
    ("pinlease-run", include_str!("../man/run.man")),
    ("pinlease-status", include_str!("../man/status.man")),
];

fn main() -> Result<()> {
    let Options { folder } = Options::parse();
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    for (name, page) in pages()? {
        let path = folder.join(name).with_extension("1");
        fs::write(&path, page).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// All pages by name.
fn pages() -> Result<Vec<(String, Vec<u8>)>> {
    let mut pinlease = Cli::command().disable_help_subcommand(true);
    pinlease.build();
    let commands = [&pinlease].into_iter().chain(pinlease.get_subcommands());
    commands
        .map(|command| {
            let name = command.get_display_name().unwrap_or(command.get_name());
            Ok((name.to_owned(), page(name, command)?))
        })
        .collect()
}

fn page(name: &str, command: &Command) -> Result<Vec<u8>> {
    let sections = SECTIONS.iter().find(|(of, _)| *of == name);
    let (_, sections) = sections.with_context(|| format!("man/ says nothing of {name}"))?;
    let mut page = Vec::new();
    generated(command, &mut page)?;
    page.extend_from_slice(sections.as_bytes());
    Ok(page)
}

fn generated(command: &Command, to: &mut Vec<u8>) -> io::Result<()> {
    let man = Man::new(command.clone())
        .source(concat!("pinlease ", env!("CARGO_PKG_VERSION")))
        .manual("User commands");
    man.render_title(to)?;
    man.render_name_section(to)?;
    man.render_synopsis_section(to)?;
    man.render_description_section(to)?;
    man.render_options_section(to)?;
    if command.has_subcommands() {
        man.render_subcommands_section(to)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_for_each_command() {
        let names: Vec<String> = pages().unwrap().into_iter().map(|(name, _)| name).collect();
        let with_sections: Vec<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, with_sections);
    }

    #[test]
    fn pages_have_what_pages_have() {
        for (name, page) in pages().unwrap() {
            let page = String::from_utf8(page).unwrap();
            for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "SEE ALSO"] {
                let heading = format!(".SH {section}");
                let found = page.lines().filter(|line| **line == heading).count();
                assert_eq!(found, 1, "{name}: {section}");
            }
        }
    }
}
