// SPDX-License-Identifier: GPL-2.0
//! What this user may do: open the device, have memory locked.

use nix::sys::resource::{getrlimit, Resource};
use pinlease::{Device, OpenError, Quiescence, DEVICE_PATH};

use super::Check;
use crate::units::bytes;

/// Debian's default, enough for a lease with a grant on 4 GiB.
const USUAL_MEMLOCK: u64 = 8 << 20;

/// Opens the device. Gives it, too.
pub fn checks() -> (Vec<Check>, Option<Device>) {
    let device = Device::open();
    let mut checks = vec![opened(device.as_ref().err().copied())];
    let device = device.ok();
    if let Some(quiescence) = device.as_ref().and_then(|device| device.quiescence().ok()) {
        checks.push(new_leases(quiescence));
    }
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_MEMLOCK) {
        checks.push(memlock(soft, hard));
    }
    (checks, device)
}

fn opened(error: Option<OpenError>) -> Check {
    const NAME: &str = "device";
    match error {
        None => Check::ok(NAME, format!("{DEVICE_PATH} can be opened")),
        Some(OpenError::NotLoaded) => Check::failed(
            NAME,
            format!("{DEVICE_PATH} does not exist"),
            "load the module",
        ),
        Some(OpenError::Denied) => Check::failed(
            NAME,
            format!("this user may not open {DEVICE_PATH}"),
            "run 'adduser USER pinlease' as root and log in anew",
        ),
        Some(other) => Check::failed(NAME, other.to_string(), "see 'dmesg'"),
    }
}

fn new_leases(quiescence: Quiescence) -> Check {
    if quiescence.no_new_leases {
        return Check::failed(
            "new leases",
            "they are refused",
            "run 'pinlease quiesce --end' as root when the livepatch is in",
        );
    }
    Check::ok("new leases", "they are allowed")
}

fn memlock(soft: u64, hard: u64) -> Check {
    const NAME: &str = "memlock";
    if soft >= USUAL_MEMLOCK {
        let shown = if soft == u64::MAX {
            "unlimited".into()
        } else {
            bytes(soft)
        };
        return Check::ok(
            NAME,
            format!("RLIMIT_MEMLOCK is {shown}, the most that can be pinned"),
        );
    }
    let advice = if hard >= USUAL_MEMLOCK {
        "run 'ulimit -l hard' in the shell"
    } else {
        "raise it in /etc/security/limits.d or by LimitMEMLOCK= of the service"
    };
    Check::warning(
        NAME,
        format!("only {} bytes can be pinned", bytes(soft)),
        advice,
    )
}

#[cfg(test)]
mod tests {
    use super::{super::Verdict, *};

    #[test]
    fn opening() {
        assert_eq!(opened(None).verdict, Verdict::Ok);
        assert_eq!(opened(Some(OpenError::Denied)).verdict, Verdict::Failed);
        assert_eq!(opened(Some(OpenError::NotLoaded)).verdict, Verdict::Failed);
    }

    #[test]
    fn quiesced() {
        let state = |no_new_leases| Quiescence {
            no_new_leases,
            no_hooks: true,
        };
        assert_eq!(new_leases(state(true)).verdict, Verdict::Failed);
        assert_eq!(new_leases(state(false)).verdict, Verdict::Ok);
    }

    #[test]
    fn limits() {
        assert_eq!(memlock(u64::MAX, u64::MAX).verdict, Verdict::Ok);
        assert_eq!(memlock(8 << 20, 8 << 20).verdict, Verdict::Ok);
        let check = memlock(64 << 10, u64::MAX);
        assert_eq!(check.verdict, Verdict::Warning);
        assert_eq!(
            check.advice.as_deref(),
            Some("run 'ulimit -l hard' in the shell")
        );
    }
}
