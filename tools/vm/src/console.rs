// SPDX-License-Identifier: GPL-2.0

//! Finds in the kernel's console what must not be there.

use serde::Serialize;

/// Parts of lines with which the kernel reports that something is wrong with itself.
const SUSPICIOUS: &[&str] = &[
    "BUG:",
    "WARNING:",
    "Oops",
    "Kernel panic",
    "Call Trace:",
    "general protection",
    "BUG at",
    "KASAN:",
    "KCSAN:",
    "KFENCE:",
    "UBSAN:",
    "kmemleak:",
    "INFO: task ",
    "INFO: rcu",
    "INFO: possible ",
    "INFO: trying to register non-static key",
    "INFO: inconsistent lock state",
    "detected stall",
    "detected expedited stalls",
    "suspicious RCU usage",
    "bad unlock balance",
    "possible circular locking",
    "possible recursive locking",
    "lock held when returning to user space",
    "refcount_t:",
    "list_add corruption",
    "list_del corruption",
    "Bad page state",
    "page dumped because",
    "Unable to handle kernel",
    "unable to handle kernel",
    "unable to handle page fault",
    "invalid opcode:",
    "divide error:",
    "stack guard page",
    "Internal error",
];

/// Lines that look suspicious and are not: the kernel introducing its own tools and the emulated machine.
const HARMLESS: &[&str] = &[
    "kmemleak: Kernel memory leak detector initialized",
    "kmemleak: Kernel memory leak detector disabled",
    "kmemleak: Automatic memory scanning thread",
    "kmemleak: Object ",
    "KASAN: KernelAddressSanitizer initialized",
    "kasan: KernelAddressSanitizer initialized",
    "KFENCE: initialized",
    "kernel command line",
    "Kernel command line",
    "Command line:",
];

/// One suspicious line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The number of the line in the console, from 1.
    pub line: usize,
    /// The line, without its time stamp.
    pub text: String,
}

/// All suspicious lines of a console.
#[must_use]
pub fn findings(console: &str) -> Vec<Finding> {
    console
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, without_prefix(line)))
        .filter(|(_, text)| is_suspicious(text))
        .map(|(line, text)| Finding {
            line,
            text: text.to_owned(),
        })
        .collect()
}

/// Whether a line of the log, without its time stamp, tells of a kernel in trouble.
#[must_use]
pub fn is_suspicious(text: &str) -> bool {
    SUSPICIOUS.iter().any(|part| text.contains(part))
        && !HARMLESS.iter().any(|part| text.contains(part))
}

/// Whether the boot died of what emulators do to kernels that patch their own code. This happens before any of our code
/// runs; see Documentation/vm.rst.
#[must_use]
pub fn is_emulator_fault(console: &str) -> bool {
    console
        .lines()
        .any(|line| without_prefix(line).starts_with("Oops: int3"))
}

/// Drops `[    1.234567][    T1] `.
fn without_prefix(line: &str) -> &str {
    let mut rest = line.trim();
    while let Some((_, after)) = rest
        .strip_prefix('[')
        .and_then(|inner| inner.split_once(']'))
    {
        rest = after.trim_start();
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const OOPS: &str = "[    0.000000] Linux version 7.3.4+deb13-amd64\r
[    1.000000] pinlease: loading out-of-tree module taints kernel.\r
[    2.345678][  T123] BUG: kernel NULL pointer dereference, address: 0000000000000008\r
[    2.345680][  T123] Oops: Oops: 0000 [#1] SMP PTI\r
[    2.345690][  T123] Call Trace:\r
[    2.345691][  T123]  <TASK>\r
";

    #[test]
    fn an_oops_is_found_without_time_stamps() {
        let found = findings(OOPS);
        let texts: Vec<_> = found.iter().map(|finding| finding.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "BUG: kernel NULL pointer dereference, address: 0000000000000008",
                "Oops: Oops: 0000 [#1] SMP PTI",
                "Call Trace:"
            ]
        );
        assert_eq!(found[0].line, 3);
    }

    #[test]
    fn every_tool_is_heard() {
        for line in [
            "WARNING: CPU: 0 PID: 1 at mm/gup.c:70 try_grab_folio+0x1/0x2",
            "WARNING: possible circular locking dependency detected",
            "INFO: task fsync:99 blocked for more than 120 seconds.",
            "rcu: INFO: rcu_preempt self-detected stall on CPU",
            "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
            "watchdog: BUG: soft lockup - CPU#1 stuck for 22s!",
            "BUG: KASAN: slab-use-after-free in x+0x1/0x2",
            "kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
            "general protection fault, probably for non-canonical address",
            "Oops: general protection fault, probably",
            "UBSAN: array-index-out-of-bounds in x.c:1:2",
            "refcount_t: underflow; use-after-free.",
            "Kernel panic - not syncing: Fatal exception",
        ] {
            assert!(is_suspicious(line), "{line}");
        }
    }

    #[test]
    fn introductions_are_no_findings() {
        for line in [
            "kmemleak: Kernel memory leak detector initialized (mem pool available: 15800)",
            "KFENCE: initialized - using 2097152 bytes for 255 objects",
            "EXT4-fs (vda): mounted filesystem r/w with ordered data mode.",
            "Kernel command line: oops=panic console=ttyS0",
        ] {
            assert!(!is_suspicious(line), "{line}");
        }
    }

    #[test]
    fn the_emulators_fault_is_told_from_others() {
        assert!(is_emulator_fault("[    0.9] Oops: int3: 0000 [#1] SMP\n"));
        assert!(!is_emulator_fault(OOPS));
    }
}
