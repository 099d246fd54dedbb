// SPDX-License-Identifier: GPL-2.0
//! What DKMS made of the module, and what it needs to make it, where the package pinlease-dkms is
//! installed.

use std::{env, fs, path::Path, process::Command};

use nix::sys::utsname::uname;

use super::Check;

/// Programs that DKMS runs, and their packages.
const PROGRAMS: [(&str, &str); 4] = [
    ("rustc", "rustc"),
    ("bindgen", "bindgen"),
    ("x86_64-linux-gnu-gcc-14", "gcc-14"),
    ("make", "make"),
];

/// Nothing where the package is not installed. `loaded`: what is missing only matters for the next
/// kernel.
pub fn checks(loaded: bool) -> Vec<Check> {
    let source = Path::new("/usr/src");
    let version = env!("CARGO_PKG_VERSION");
    let (Ok(name), true) = (uname(), source.join(format!("pinlease-{version}")).exists()) else {
        return Vec::new();
    };
    let release = name.release().to_string_lossy();
    let output = Command::new("/usr/sbin/dkms")
        .args(["status", "-m", "pinlease"])
        .output();
    let status = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let state = status
        .ok()
        .and_then(|status| state(&status, version, &release));
    let log = format!("/var/lib/dkms/pinlease/{version}/build/make.log");
    let reason = fs::read_to_string(log).ok().and_then(|log| reason(&log));
    vec![
        built(state.as_deref(), &release, reason.as_deref(), loaded),
        tools(&missing(&release), loaded),
    ]
}

/// The state of the module for a kernel, from lines such as
/// `pinlease/0.1.0, 7.3.4+deb13-amd64, x86_64: installed`, or `pinlease/0.1.0: added`.
fn state(status: &str, version: &str, release: &str) -> Option<String> {
    let module = format!("pinlease/{version}");
    status.lines().find_map(|line| {
        let (what, state) = line.split_once(": ")?;
        let mut parts = what.split(", ");
        (parts.next() == Some(&module) && parts.next() == Some(release)).then(|| state.to_owned())
    })
}

/// Why a build failed, if our part of it said so.
fn reason(log: &str) -> Option<String> {
    let lines = log.lines().rev();
    let mut reasons = lines.filter_map(|line| line.split_once("pinlease: error: "));
    Some(reasons.next()?.1.to_owned())
}

fn built(state: Option<&str>, release: &str, reason: Option<&str>, loaded: bool) -> Check {
    let retry = format!(
        "then run 'dkms install pinlease/{} -k {release}'",
        env!("CARGO_PKG_VERSION")
    );
    match state {
        Some(state) if state.starts_with("installed") => {
            Check::ok("dkms", format!("the module is installed for {release}"))
        }
        Some(state) => problem(
            loaded,
            "dkms",
            format!("the module is only {state} for {release}"),
            retry,
        ),
        None => problem(
            loaded,
            "dkms",
            match reason {
                Some(reason) => format!("no module for {release}: {reason}"),
                None => format!("no module for {release}"),
            },
            retry,
        ),
    }
}

fn tools(missing: &[String], loaded: bool) -> Check {
    if missing.is_empty() {
        return Check::ok("build tools", "headers, source and compilers are there");
    }
    problem(
        loaded,
        "build tools",
        "what DKMS needs is missing".to_owned(),
        format!("run 'apt install {}' as root", missing.join(" ")),
    )
}

/// A module that is loaded works; what is wrong here shows with the next kernel.
fn problem(loaded: bool, name: &'static str, found: String, advice: String) -> Check {
    if loaded {
        Check::warning(name, found, advice)
    } else {
        Check::failed(name, found, advice)
    }
}

/// Packages that are missing.
fn missing(release: &str) -> Vec<String> {
    let mut packages = Vec::new();
    let path = env::var_os("PATH").unwrap_or_default();
    for (program, package) in PROGRAMS {
        if !env::split_paths(&path).any(|folder| folder.join(program).exists()) {
            packages.push(package.to_owned());
        }
    }
    if !Path::new(&format!("/lib/modules/{release}/build/.config")).exists() {
        packages.push(format!("linux-headers-{release}"));
    }
    // One that has the metadata of its crates needs no source.
    let complete = format!("/lib/modules/{release}/build/rust/libkernel.rmeta");
    let source = source_package(release);
    if !Path::new(&complete).exists() && !Path::new(&format!("/usr/src/{source}.tar.xz")).exists() {
        packages.push(source);
    }
    packages
}

/// The package with the source of Debian's kernel `release`, such as 7.3.4+deb13-amd64.
fn source_package(release: &str) -> String {
    let series: Vec<&str> = release.splitn(3, '.').take(2).collect();
    format!("linux-source-{}", series.join("."))
}

#[cfg(test)]
mod tests {
    use super::{super::Verdict, *};

    #[test]
    fn states() {
        let status = "pinlease/0.1.0, 7.3.4+deb13-amd64, x86_64: installed\n\
                      pinlease/0.1.0, 7.4.1+deb13-amd64, x86_64: built\n\
                      other/0.1.0, 7.5, x86_64: installed\n";
        let of = |release| state(status, "0.1.0", release);
        assert_eq!(of("7.3.4+deb13-amd64").as_deref(), Some("installed"));
        assert_eq!(of("7.4.1+deb13-amd64").as_deref(), Some("built"));
        assert_eq!(of("7.5"), None);
        assert_eq!(state("pinlease/0.1.0: added\n", "0.1.0", "7.3"), None);
    }

    #[test]
    fn the_last_reason() {
        let log = "make\npinlease: error: a; run b\nx\npinlease: error: c; run d\nend\n";
        assert_eq!(reason(log).as_deref(), Some("c; run d"));
        assert_eq!(reason("make\n"), None);
    }

    #[test]
    fn a_loaded_module_works() {
        assert_eq!(built(None, "7.3", None, false).verdict, Verdict::Failed);
        assert_eq!(built(None, "7.3", None, true).verdict, Verdict::Warning);
        assert_eq!(
            built(Some("installed"), "7.3", None, false).verdict,
            Verdict::Ok
        );
        assert_eq!(
            built(Some("built"), "7.3", None, false).verdict,
            Verdict::Failed
        );
    }

    #[test]
    fn packages() {
        assert_eq!(source_package("7.3.4+deb13-amd64"), "linux-source-7.3");
        let check = tools(&["rustc".into(), "bindgen".into()], false);
        assert_eq!(
            check.advice.as_deref(),
            Some("run 'apt install rustc bindgen' as root")
        );
    }
}
