// SPDX-License-Identifier: GPL-2.0
//! The kernel's fault injection: Documentation/fault-injection/fault-injection.rst.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::{harness::skip, support::modules};

const DEBUGFS: &str = "/sys/kernel/debug";

/// Injects faults into what the current thread does: allocations of any size and kind fail, also
/// such as never fail by themselves, and copies from and to user space.
#[derive(Debug)]
pub struct Injector(File);

impl Injector {
    /// For the current thread. Skips the test where the kernel has none.
    ///
    /// # Errors
    ///
    /// It cannot be set up.
    pub fn open() -> Result<Self> {
        let path = "/proc/thread-self/fail-nth";
        let Ok(file) = File::options().read(true).write(true).open(path) else {
            return skip("the kernel has no fault injection (CONFIG_FAULT_INJECTION)");
        };
        for (kind, name, value) in [
            ("failslab", "ignore-gfp-wait", "N"),
            ("fail_page_alloc", "ignore-gfp-wait", "N"),
            ("fail_page_alloc", "ignore-gfp-highmem", "N"),
            ("fail_page_alloc", "min-order", "0"),
        ] {
            set(kind, name, value)?;
        }
        for kind in ["failslab", "fail_page_alloc", "fail_usercopy"] {
            // Else each is a stack trace in the log.
            set(kind, "verbose", "0")?;
        }
        Ok(Self(file))
    }

    /// Lets the call number `nth` of `run` fail that can; true when there was such a call.
    ///
    /// # Errors
    ///
    /// fail-nth cannot be used.
    pub fn inject<T>(&self, nth: u32, run: impl FnOnce() -> T) -> Result<(T, bool)> {
        let text = nth.to_string();
        self.0.write_all_at(text.as_bytes(), 0).context("arming")?;
        let result = run();
        let mut left = [0; 16];
        let hit = match self.0.read_at(&mut left, 0) {
            Ok(length) => left[..length].starts_with(b"0"),
            // That was the call: the fault was still to come.
            Err(_) => false,
        };
        // May meet the last fault itself.
        if self.0.write_all_at(b"0", 0).is_err() {
            self.0.write_all_at(b"0", 0).context("disarming")?;
        }
        Ok((result, hit))
    }
}

/// The numbers of the faults to try: 1, 2, ...; after some time with gaps that
/// grow with the numbers.
#[derive(Debug)]
pub struct Numbers {
    next: u32,
    step: u32,
    begin: Instant,
    patience: Duration,
    /// A gap is at least a number divided by this.
    divisor: u32,
}

impl Numbers {
    /// Without gaps for as long as `patience` says.
    pub fn new(patience: Duration, divisor: u32) -> Self {
        Self {
            next: 1,
            step: 1,
            begin: Instant::now(),
            patience,
            divisor,
        }
    }
}

impl Iterator for Numbers {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let number = self.next;
        if self.begin.elapsed() > self.patience {
            self.step = self.step.max(number / self.divisor);
        }
        self.next = number.checked_add(self.step)?;
        Some(number)
    }
}

/// Injects faults into what the module does, in whichever thread: its tick, its workers, writeback.
/// Dropping it ends that.
#[derive(Debug)]
pub struct Anywhere(&'static str);

impl Anywhere {
    /// One allocation of `kind` (failslab or fail_page_alloc), the one number `nth` from now or a
    /// multiple of that.
    ///
    /// # Errors
    ///
    /// It cannot be set up.
    pub fn once(kind: &'static str, nth: u32) -> Result<Self> {
        let text = modules::text_of("pinlease")?;
        let anywhere = Self(kind);
        for (name, value) in [
            ("probability", "0".to_owned()),
            ("task-filter", "N".to_owned()),
            ("ignore-gfp-wait", "N".to_owned()),
            ("stacktrace-depth", "32".to_owned()),
            ("require-start", format!("{:#x}", text.start)),
            ("require-end", format!("{:#x}", text.end)),
            ("space", "0".to_owned()),
            ("interval", nth.to_string()),
            ("times", "1".to_owned()),
            ("verbose", "0".to_owned()),
            ("probability", "100".to_owned()),
        ] {
            set(kind, name, &value)?;
        }
        Ok(anywhere)
    }

    /// As many as there are, until it is dropped.
    ///
    /// # Errors
    ///
    /// It cannot be set up.
    pub fn always(kind: &'static str) -> Result<Self> {
        let anywhere = Self::once(kind, 1)?;
        set(kind, "times", "-1")?;
        Ok(anywhere)
    }

    /// Whether the fault happened.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn happened(&self) -> Result<bool> {
        let path = Path::new(DEBUGFS).join(self.0).join("times");
        Ok(fs::read_to_string(&path)?.trim() == "0")
    }
}

impl Drop for Anywhere {
    fn drop(&mut self) {
        for (name, value) in [
            ("probability", "0"),
            ("require-start", "0"),
            ("require-end", "0xffffffffffffffff"),
        ] {
            if let Err(error) = set(self.0, name, value) {
                eprintln!("fault injection stays on: {error:#}");
            }
        }
    }
}

fn set(kind: &str, name: &str, value: &str) -> Result<()> {
    let path = Path::new(DEBUGFS).join(kind).join(name);
    fs::write(&path, value).with_context(|| path.display().to_string())
}
