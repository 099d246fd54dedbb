// SPDX-License-Identifier: GPL-2.0
//! Lockdown and Secure Boot: whether the kernel takes a module that the distribution did not sign.

use std::{fs, path::Path, process::Command};

use super::Check;

/// The variable of the firmware: four bytes of attributes, then 1 if it is on.
const SECURE_BOOT: &str =
    "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// The key that dkms makes, and signs with.
const KEY: &str = "/var/lib/dkms/mok.pub";

/// Looks at the firmware, the kernel and the module's file.
pub fn checks(loaded: bool) -> Vec<Check> {
    let lockdown = fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
    let enforced = fs::read_to_string("/sys/module/module/parameters/sig_enforce");
    let needed = mode(&lockdown) != "none" || enforced.is_ok_and(|text| text.trim() == "Y");
    let mut checks = vec![secure_boot(
        fs::read(SECURE_BOOT).ok().as_deref(),
        mode(&lockdown),
    )];
    if !loaded || needed {
        checks.push(signature(needed, loaded, signer().as_deref(), enrolled()));
    }
    checks
}

/// The word in brackets of `none [integrity] confidentiality`.
fn mode(lockdown: &str) -> &str {
    let inside = lockdown
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'));
    inside.map_or("none", |(mode, _)| mode)
}

fn secure_boot(variable: Option<&[u8]>, lockdown: &str) -> Check {
    let firmware = match variable {
        Some([_, _, _, _, 1]) => "Secure Boot is on",
        Some(_) => "Secure Boot is off",
        None => "no Secure Boot",
    };
    Check::ok("secure boot", format!("{firmware}, lockdown is {lockdown}"))
}

/// Who signed the module's file; `None`: nobody, or there is no such file.
fn signer() -> Option<String> {
    let output = Command::new("/usr/sbin/modinfo")
        .args(["-F", "signer", "pinlease"])
        .output();
    let signer = String::from_utf8_lossy(&output.ok()?.stdout)
        .trim()
        .to_owned();
    (!signer.is_empty()).then_some(signer)
}

/// Whether the firmware knows dkms's key; `None`: that cannot be told.
fn enrolled() -> Option<bool> {
    if !Path::new(KEY).exists() {
        return None;
    }
    let output = Command::new("/usr/bin/mokutil")
        .args(["--test-key", KEY])
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(said.contains("already enrolled"))
}

fn signature(needed: bool, loaded: bool, signer: Option<&str>, enrolled: Option<bool>) -> Check {
    const NAME: &str = "signature";
    let enrol =
        format!("run 'mokutil --import {KEY}' as root, reboot, and enrol it in the blue menu");
    match (signer, enrolled) {
        _ if loaded => Check::ok(NAME, "the kernel took the module"),
        _ if !needed => Check::ok(NAME, "unsigned modules can be loaded"),
        (None, _) => Check::failed(
            NAME,
            "the kernel takes signed modules only, and this is none",
            format!(
                "have dkms sign it: run 'dkms generate_mok', install the module anew, then {enrol}"
            ),
        ),
        (Some(signer), Some(true)) => {
            Check::ok(NAME, format!("signed by {signer}, whose key is enrolled"))
        }
        (Some(signer), Some(false)) => Check::failed(
            NAME,
            format!("signed by {signer}, whose key is not enrolled"),
            enrol,
        ),
        (Some(signer), None) => Check::warning(
            NAME,
            format!("signed by {signer}; whether the key is enrolled cannot be told"),
            "install mokutil; if the module does not load, enrol the key",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Verdict, *};

    #[test]
    fn modes() {
        assert_eq!(mode("none [integrity] confidentiality\n"), "integrity");
        assert_eq!(mode("[none] integrity confidentiality\n"), "none");
        assert_eq!(mode(""), "none");
    }

    #[test]
    fn firmware() {
        let found = |variable: Option<&[u8]>| secure_boot(variable, "none").found;
        assert_eq!(
            found(Some(&[6, 0, 0, 0, 1])),
            "Secure Boot is on, lockdown is none"
        );
        assert_eq!(
            found(Some(&[6, 0, 0, 0, 0])),
            "Secure Boot is off, lockdown is none"
        );
        assert_eq!(found(None), "no Secure Boot, lockdown is none");
    }

    #[test]
    fn signatures() {
        let verdict = |needed, signer, enrolled| signature(needed, false, signer, enrolled).verdict;
        assert_eq!(verdict(false, None, None), Verdict::Ok);
        assert_eq!(verdict(true, None, Some(true)), Verdict::Failed);
        assert_eq!(verdict(true, Some("me"), Some(true)), Verdict::Ok);
        assert_eq!(verdict(true, Some("me"), Some(false)), Verdict::Failed);
        assert_eq!(verdict(true, Some("me"), None), Verdict::Warning);
        assert_eq!(signature(true, true, None, None).verdict, Verdict::Ok);
    }
}
