// SPDX-License-Identifier: GPL-2.0
//! The module: loaded, of the version of this command, ftrace as it needs it.

use std::fs;

use pinlease::host;

use super::Check;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Looks at the module that is loaded.
pub fn checks() -> Vec<Check> {
    let mut checks = vec![version(host::module_version().as_deref())];
    if let Ok(enabled) = fs::read_to_string("/proc/sys/kernel/ftrace_enabled") {
        checks.push(ftrace(enabled.trim()));
    }
    checks
}

fn version(loaded: Option<&str>) -> Check {
    match loaded {
        None => Check::failed(
            "module",
            "it is not loaded",
            "run 'modprobe pinlease' as root",
        ),
        Some(VERSION) => Check::ok("module", format!("loaded, version {VERSION}")),
        Some(other) => Check::warning(
            "module",
            format!("version {other} is loaded, this command is {VERSION}"),
            "when no lease is held, run 'modprobe -r pinlease && modprobe pinlease' as root",
        ),
    }
}

fn ftrace(enabled: &str) -> Check {
    if enabled == "0" {
        return Check::failed(
            "ftrace",
            "kernel.ftrace_enabled is 0, so no function can be hooked",
            "run 'sysctl kernel.ftrace_enabled=1' as root",
        );
    }
    Check::ok("ftrace", "enabled")
}

#[cfg(test)]
mod tests {
    use super::{super::Verdict, *};

    #[test]
    fn versions() {
        assert_eq!(version(None).verdict, Verdict::Failed);
        assert_eq!(version(Some(VERSION)).verdict, Verdict::Ok);
        assert_eq!(version(Some("0.0.1")).verdict, Verdict::Warning);
    }

    #[test]
    fn ftrace_off() {
        assert_eq!(ftrace("0").verdict, Verdict::Failed);
        assert_eq!(ftrace("1").verdict, Verdict::Ok);
    }
}
