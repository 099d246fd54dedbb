// SPDX-License-Identifier: GPL-2.0
//! Programs of the guest.

use std::{ffi::OsStr, process::Command};

use anyhow::{ensure, Context, Result};

use crate::harness::Skip;

/// Runs a program and returns what it prints; a test that needs a program
/// which is not installed is skipped.
///
/// # Errors
///
/// It fails, or is missing ([`Skip`]).
pub fn output<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<String> {
    output_of(program, arguments, &[0])
}

/// The same for a program that tells something by its exit status.
///
/// # Errors
///
/// It exits with another status than `statuses`, or is missing ([`Skip`]).
pub fn output_of<S: AsRef<OsStr>>(
    program: &str,
    arguments: &[S],
    statuses: &[i32],
) -> Result<String> {
    let result = Command::new(program).args(arguments).output();
    if let Err(error) = &result {
        if error.kind() == std::io::ErrorKind::NotFound {
            return Err(Skip(format!("needs the program {program}")).into());
        }
    }
    let result = result.with_context(|| format!("starting {program}"))?;
    ensure!(
        result
            .status
            .code()
            .is_some_and(|code| statuses.contains(&code)),
        "{program}: {}: {}",
        result.status,
        String::from_utf8_lossy(&result.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&result.stdout).into_owned())
}

/// The number after `label` in what a program printed.
///
/// # Errors
///
/// There is none.
pub fn number_after(text: &str, label: &str) -> Result<u64> {
    text.split_once(label)
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .and_then(|word| word.parse().ok())
        .with_context(|| format!("no number after '{label}' in: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let text = "\tread_errors: 0\n\tcsum_errors: 12\n";
        assert_eq!(number_after(text, "csum_errors:").unwrap(), 12);
        assert!(number_after(text, "verify_errors:").is_err());
    }

    #[test]
    fn statuses() {
        assert!(output("false", &[""; 0]).is_err());
        assert!(output_of("false", &[""; 0], &[0, 1]).is_ok());
        let error = output("no-such-program", &[""; 0]).unwrap_err();
        assert!(error.is::<Skip>());
    }
}
