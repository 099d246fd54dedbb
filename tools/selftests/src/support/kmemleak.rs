// SPDX-License-Identifier: GPL-2.0
//! The kernel's leak detector.

use std::fs;

use anyhow::{Context, Result};

use crate::harness::skip;

const FILE: &str = "/sys/kernel/debug/kmemleak";

/// An object is reported when several scans find nothing that points to it, and
/// it is some seconds old.
const SCANS: u32 = 3;

/// Scans, and returns what nobody points to; skips the test where the kernel has
/// no detector.
///
/// # Errors
///
/// [`Skip`](crate::harness::Skip); the detector has given up.
pub fn leaks() -> Result<Vec<String>> {
    if fs::read_to_string(FILE).is_err() {
        return skip("the kernel has no kmemleak");
    }
    for _ in 0..SCANS {
        fs::write(FILE, "scan").context("kmemleak has given up")?;
        std::thread::sleep(std::time::Duration::from_secs(6));
    }
    Ok(reports(&fs::read_to_string(FILE)?))
}

/// Each begins with a line that is not indented.
fn reports(text: &str) -> Vec<String> {
    let mut reports: Vec<String> = Vec::new();
    for line in text.lines() {
        match reports.last_mut() {
            Some(report) if line.starts_with(' ') => {
                report.push('\n');
                report.push_str(line);
            }
            _ => reports.push(line.into()),
        }
    }
    reports
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_told_apart() {
        let text = "unreferenced object 0x1 (size 8):\n  comm \"a\"\n  backtrace:\n    f\n\
                    unreferenced object 0x2 (size 8):\n  comm \"b\"\n";
        let found = reports(text);
        assert_eq!(found.len(), 2);
        assert!(found[0].ends_with("    f") && found[1].contains("\"b\""));
        assert!(reports("").is_empty());
    }
}
