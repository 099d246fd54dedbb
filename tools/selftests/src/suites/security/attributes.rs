// SPDX-License-Identifier: GPL-2.0
//! What the file's own attributes forbid disturbs no holder.

use std::time::Duration;

use anyhow::{ensure, Context as _};
use nix::{
    errno::Errno,
    fcntl::{fallocate, FallocateFlags},
    unistd::truncate,
};
use pinlease::Policy;

use crate::{
    harness::{Context, TestResult},
    support::{expect::errno, flags, page_size, residue, Act, Fill, HolderPlan, Mapped},
};

const PAGE: i64 = page_size() as i64;
const PAGES: u64 = 8;
const GRACE: Duration = Duration::from_millis(100);
const WHILE: Duration = Duration::from_millis(1500);

/// `FS_IMMUTABLE_FL` of linux/fs.h.
const IMMUTABLE: libc::c_long = 0x10;
/// `FS_APPEND_FL`.
const APPEND_ONLY: libc::c_long = 0x20;

/// Immutable and append-only files, whose holder would be killed.
pub fn attributes(context: &Context) -> TestResult {
    context.load_modules()?;
    for (what, flag) in [("immutable", IMMUTABLE), ("append-only", APPEND_ONLY)] {
        let mapped = Mapped::create(&context.path("attributes"), PAGES, Fill::Faulted)?;
        let mut holder = HolderPlan::new(0..PAGES, Policy::Kill, GRACE)
            .pin(None)
            .start(&mapped)?;
        let before = flags::get(mapped.file())?;
        flags::set(mapped.file(), before | flag).context(what)?;
        // Not ftruncate(2) of an immutable file: what was open for writing before stays
        // so, and only the filesystem refuses.
        let results = [
            ("truncate", truncate(mapped.path(), 0)),
            (
                "punch",
                fallocate(
                    mapped.file(),
                    FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE,
                    0,
                    PAGE,
                ),
            ),
        ];
        flags::set(mapped.file(), before).context("as before")?;
        for (operation, result) in results {
            errno(&format!("{operation}, {what}"), result, Errno::EPERM)?;
        }
        std::thread::sleep(WHILE);
        let query = holder.act(&Act::Query).context("the holder was killed")?;
        ensure!(query.state == "held", "{what}: {query:?}");
        let ended = holder.end()?;
        ensure!(ended.events.is_empty(), "{what}: {:?}", ended.events);
    }
    residue::none_left()
}
