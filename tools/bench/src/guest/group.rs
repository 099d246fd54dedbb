// SPDX-License-Identifier: GPL-2.0
//! Figures that are measured together.

use anyhow::{bail, Result};
use clap::ValueEnum;

use super::{
    copy, end_to_end, hooks, leases, memory, pins, release, scaling, session::Session, writeback,
};
use crate::mode::Mode;

/// What is measured together.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Group {
    /// Writeback per page, from nothing loaded to all pinned.
    Writeback,
    /// Copying pages.
    Copy,
    /// Pinning and unpinning.
    Pins,
    /// Memory for pins and leases.
    Memory,
    /// From a holder's release to the breaker's return.
    Release,
    /// Few and many leases.
    Leases,
    /// Installing and removing the hooks.
    Hooks,
    /// From a device to durable in a file.
    EndToEnd,
    /// Writeback with more processors.
    Scaling,
}

impl Group {
    /// As the command line knows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Writeback => "writeback",
            Self::Copy => "copy",
            Self::Pins => "pins",
            Self::Memory => "memory",
            Self::Release => "release",
            Self::Leases => "leases",
            Self::Hooks => "hooks",
            Self::EndToEnd => "end-to-end",
            Self::Scaling => "scaling",
        }
    }

    /// How the names of its figures begin.
    fn beginnings(self) -> &'static [&'static str] {
        match self {
            Self::Writeback => writeback::NAMES,
            Self::Copy => copy::NAMES,
            Self::Pins => pins::NAMES,
            Self::Memory => memory::NAMES,
            Self::Release => release::NAMES,
            Self::Leases => leases::NAMES,
            Self::Hooks => hooks::NAMES,
            Self::EndToEnd => end_to_end::NAMES,
            Self::Scaling => scaling::NAMES,
        }
    }

    /// Measures, and prints.
    pub(super) fn measure(self, session: &Session<'_>) -> Result<()> {
        match self {
            Self::Writeback => writeback::measure(session),
            Self::Copy => copy::measure(session),
            Self::Pins => pins::measure(session),
            Self::Memory => memory::measure(session),
            Self::Release => release::measure(session),
            Self::Leases => leases::measure(session),
            Self::Hooks => hooks::measure(session),
            Self::EndToEnd => end_to_end::measure(session),
            Self::Scaling => scaling::measure(session),
        }
    }

    /// Those to which the names belong; all when there is none.
    ///
    /// # Errors
    ///
    /// A name is that of nothing.
    pub fn select(names: &[String]) -> Result<Vec<Self>> {
        for name in names {
            if !Self::value_variants().iter().any(|group| group.has(name)) {
                bail!("no figure and no group of figures is called '{name}'");
            }
        }
        let wanted = |group: &Self| names.is_empty() || names.iter().any(|name| group.has(name));
        Ok(Self::value_variants()
            .iter()
            .copied()
            .filter(wanted)
            .collect())
    }

    fn has(self, name: &str) -> bool {
        let begins = |beginning: &&str| name.starts_with(*beginning) || beginning.starts_with(name);
        self.name() == name || self.beginnings().iter().any(begins)
    }

    /// With how many processors it is measured.
    pub fn cpus(self, mode: Mode) -> &'static [u32] {
        match (self, mode) {
            (Self::Scaling, Mode::Icount) => &[],
            (Self::Scaling, Mode::Wall) => &[1, 2, 4],
            // Memory is the same however it is counted.
            (Self::Memory, Mode::Wall) => &[],
            // Waits for grace periods are of time, not of instructions.
            (Self::Hooks, Mode::Icount) => &[],
            (_, Mode::Icount) => &[1],
            (_, Mode::Wall) => &[2],
        }
    }

    /// All numbers of processors.
    pub fn all_cpus(mode: Mode) -> &'static [u32] {
        match mode {
            Mode::Icount => &[1],
            Mode::Wall => &[1, 2, 4],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(name: &str) -> Vec<Group> {
        Group::select(&[name.into()]).unwrap()
    }

    #[test]
    fn names_lead_to_groups() {
        assert_eq!(select("pin_64k"), [Group::Pins]);
        assert_eq!(select("idle_writeback"), [Group::Writeback]);
        assert_eq!(select("leases"), [Group::Leases]);
        assert_eq!(select("lookup_100k_vs_10"), [Group::Leases]);
        assert_eq!(
            Group::select(&[]).unwrap().len(),
            Group::value_variants().len()
        );
        assert!(Group::select(&["nonsense".into()]).is_err());
    }

    #[test]
    fn groups_have_the_names_of_the_command_line() {
        for group in Group::value_variants() {
            let value = group.to_possible_value().unwrap();
            assert_eq!(value.get_name(), group.name());
        }
    }
}
