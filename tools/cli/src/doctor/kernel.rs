// SPDX-License-Identifier: GPL-2.0
//! The running kernel: its architecture and its configuration.

use std::{fs, io::Read, path::PathBuf};

use flate2::read::GzDecoder;
use nix::sys::utsname::uname;

use super::Check;

/// Options that must be built in, and what for.
const NEEDED: [(&str, &str); 8] = [
    ("MODULES", "pinlease is a module"),
    ("RUST", "pinlease is written in Rust"),
    ("DYNAMIC_FTRACE_WITH_ARGS", "functions are hooked by ftrace"),
    (
        "LIVEPATCH",
        "replacing functions is what live patching brings",
    ),
    ("KPROBES", "addresses of functions are found by it"),
    ("FILE_LOCKING", "leases are file locks"),
    ("DEBUG_INFO_BTF", "layouts of btrfs and XFS come from it"),
    ("CRYPTO_LIB_GF128HASH", "pages are compared by POLYVAL"),
];

/// Looks at the kernel that runs.
pub fn checks() -> Vec<Check> {
    let Ok(name) = uname() else {
        return vec![Check::failed(
            "kernel",
            "uname(2) fails",
            "repair the system",
        )];
    };
    let release = name.release().to_string_lossy();
    let mut checks = vec![architecture(&name.machine().to_string_lossy(), &release)];
    checks.push(match read_config(&release) {
        Some((path, text)) => configuration(&path.display().to_string(), &text),
        None => Check::warning(
            "configuration",
            "that of the kernel is nowhere",
            format!("install the package linux-image-{release}, or compare with README"),
        ),
    });
    checks
}

fn architecture(machine: &str, release: &str) -> Check {
    if machine == "x86_64" {
        Check::ok("kernel", format!("{release}, {machine}"))
    } else {
        Check::failed(
            "kernel",
            format!("{release} is for {machine}"),
            "only x86-64 is supported",
        )
    }
}

/// Which options of those that are needed the configuration `text` lacks.
fn configuration(path: &str, text: &str) -> Check {
    let has = |option: &&(&str, &str)| {
        let (built_in, module) = (
            format!("CONFIG_{}=y", option.0),
            format!("CONFIG_{}=m", option.0),
        );
        !text.lines().any(|line| line == built_in || line == module)
    };
    let missing: Vec<String> = NEEDED
        .iter()
        .filter(has)
        .map(|(option, why)| format!("CONFIG_{option} ({why})"))
        .collect();
    if missing.is_empty() {
        return Check::ok("configuration", format!("{path} has all that is needed"));
    }
    Check::failed(
        "configuration",
        format!("{path} lacks {}", missing.join(", ")),
        "boot a kernel that has it, such as linux-image-amd64 of trixie-backports",
    )
}

/// The configuration, from where kernels keep it.
fn read_config(release: &str) -> Option<(PathBuf, String)> {
    let plain = [
        format!("/boot/config-{release}"),
        format!("/lib/modules/{release}/config"),
        format!("/lib/modules/{release}/build/.config"),
    ];
    for path in plain.map(PathBuf::from) {
        if let Ok(text) = fs::read_to_string(&path) {
            return Some((path, text));
        }
    }
    let path = PathBuf::from("/proc/config.gz");
    let mut text = String::new();
    GzDecoder::new(fs::File::open(&path).ok()?)
        .read_to_string(&mut text)
        .ok()?;
    Some((path, text))
}

#[cfg(test)]
mod tests {
    use super::{super::Verdict, *};

    #[test]
    fn what_is_missing_is_named() {
        let all = NEEDED
            .map(|(option, _)| format!("CONFIG_{option}=y"))
            .join("\n");
        assert_eq!(configuration("c", &all).verdict, Verdict::Ok);
        let less = all.replace("CONFIG_RUST=y", "# CONFIG_RUST is not set");
        let check = configuration("c", &less);
        assert_eq!(check.verdict, Verdict::Failed);
        assert_eq!(
            check.found,
            "c lacks CONFIG_RUST (pinlease is written in Rust)"
        );
        let module = all.replace("GF128HASH=y", "GF128HASH=m");
        assert_eq!(configuration("c", &module).verdict, Verdict::Ok);
    }

    /// What is needed to build the module is needed to run it.
    #[test]
    fn all_options_are_known() {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/check-kdir");
        let script = fs::read_to_string(script).unwrap();
        let enabled = script
            .lines()
            .filter_map(|line| line.strip_prefix("enabled "));
        let options: Vec<&str> = enabled.filter_map(|rest| rest.split(' ').next()).collect();
        assert!(options.len() > 5, "{options:?}");
        for option in options {
            let known = NEEDED.iter().any(|(needed, _)| *needed == option);
            // The architecture is looked at for itself.
            assert!(known || option == "X86_64", "{option}");
        }
    }

    #[test]
    fn other_machines() {
        assert_eq!(architecture("x86_64", "7").verdict, Verdict::Ok);
        assert_eq!(architecture("aarch64", "7").verdict, Verdict::Failed);
    }
}
