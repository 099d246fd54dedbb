// SPDX-License-Identifier: GPL-2.0
//! `pinlease ls`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;
use comfy_table::{presets::NOTHING, Table};
use pinlease::{monotonic, Device};

use crate::{file_id::FileId, row::Row, users::Users};

/// List leases: who holds which range of which file.
///
/// Without arguments all leases of the system are listed. The paths of other
/// users' leases are only told to root.
#[derive(Args, Debug)]
pub struct Ls {
    /// Only leases of these files.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only leases whose holder is this process.
    #[arg(long, value_name = "PID")]
    pid: Option<i32>,
    /// Print a JSON array of objects.
    #[arg(long)]
    json: bool,
}

impl Ls {
    /// Prints the list.
    pub fn run(self) -> Result<ExitCode> {
        let files: Vec<FileId> = self
            .paths
            .iter()
            .map(|path| FileId::of(path))
            .collect::<Result<_>>()?;
        let device = Device::open()?;
        let users = Users::load();
        let mut rows = Vec::new();
        for lease in device.leases() {
            let lease = lease?;
            let its_file = files.is_empty() || files.iter().any(|file| file.is_leased_by(&lease));
            let its_pid = self.pid.is_none() || self.pid == lease.pid;
            if its_file && its_pid {
                rows.push(Row::new(&lease, &users, monotonic()));
            }
        }
        if self.json {
            println!("{}", serde_json::to_string(&rows)?);
        } else {
            println!("{}", table(&rows));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Columns, for people.
fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.set_header(Row::HEADER);
    table.add_rows(rows.iter().map(Row::cells));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use pinlease::{uapi, LeaseInfo};

    use super::*;

    #[test]
    fn columns() {
        assert_eq!(
            table(&[]),
            "LEASE  FILE  RANGE  HOLDER  USER  POLICY  GRACE  PINS  BYTES  GRANTED  EXPORTS  STATE"
        );
        let raw = uapi::pinlease_next {
            id: 1,
            length: 4096,
            path_size: 3,
            ..Default::default()
        };
        let lease = LeaseInfo::from_raw(&raw, b"/a\0");
        let row = Row::new(&lease, &Users::default(), monotonic());
        let text = table(&[row]);
        assert_eq!(
            text.lines().nth(1),
            Some("1      /a    0,4K   -       0     kill    0ns    0     0      -        -        held")
        );
    }
}
