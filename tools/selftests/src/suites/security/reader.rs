// SPDX-License-Identifier: GPL-2.0
//! Who may read a file and not write it cannot disturb who holds leases on it.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::PermissionsExt,
    time::Duration,
};

use anyhow::{ensure, Context as _};
use nix::{
    errno::Errno,
    fcntl::{copy_file_range, fallocate, FallocateFlags},
    unistd::truncate,
};
use pinlease::Policy;

use crate::{
    harness::{Context, TestResult},
    support::{
        breakers::{other_path, remove_other, Target, BREAKERS},
        clone::clone_file,
        expect::{errno, from_io, one_of},
        page_size, process, residue, Act, Filesystem, Fill, HolderPlan, Mapped, Seen,
    },
};

const PAGE: u64 = page_size() as u64;
const PAGES: u64 = 8;

/// Soon, so that who was asked is dead before the test is over.
const GRACE: Duration = Duration::from_millis(100);
const WHILE: Duration = Duration::from_millis(1500);

/// A user who can only read, and does everything that breaks.
pub fn reader(context: &Context) -> TestResult {
    context.load_modules()?;
    let mapped = Mapped::create(&context.path("read"), PAGES, Fill::Faulted)?;
    fs::set_permissions(mapped.path(), fs::Permissions::from_mode(0o644))?;
    let own = Mapped::create(&context.path("own"), PAGES, Fill::Faulted)?;
    let clones = context.filesystem()? != Filesystem::Ext4;
    let sharing: Vec<_> = BREAKERS
        .iter()
        .filter(|breaker| clones && breaker.name.starts_with("dedupe"))
        .collect();
    ensure!(!clones || sharing.len() == 2, "no dedupe: {sharing:?}");
    for breaker in &sharing {
        breaker.prepare(own.path())?;
        fs::set_permissions(other_path(own.path()), fs::Permissions::from_mode(0o666))?;
    }
    let mut holder = HolderPlan::new(0..PAGES, Policy::Kill, GRACE).start(&mapped)?;
    process::as_nobody(|| {
        let file = File::open(mapped.path()).context("opening to read")?;
        let path = mapped.path();
        errno("truncate", truncate(path, 0), Errno::EACCES)?;
        let opened = OpenOptions::new().write(true).truncate(true).open(path);
        errno("O_TRUNC", from_io(opened), Errno::EACCES)?;
        // In this mode open(2) truncates what is open for reading.
        let opened = nix::fcntl::open(
            path,
            nix::fcntl::OFlag::O_RDONLY | nix::fcntl::OFlag::O_TRUNC,
            nix::sys::stat::Mode::empty(),
        );
        errno("O_RDONLY | O_TRUNC", opened, Errno::EACCES)?;
        errno("ftruncate", from_io(file.set_len(0)), Errno::EINVAL)?;
        let punch = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        let punched = fallocate(&file, punch, 0, PAGE as i64);
        errno("punch", punched, Errno::EBADF)?;
        let copied = copy_file_range(&file, Some(&mut 0), own.file(), Some(&mut 0), PAGE as usize);
        ensure!(copied == Ok(PAGE as usize), "copying: {copied:?}");
        if clones {
            errno("clone", clone_file(&file, own.file()), Errno::ETXTBSY)?;
            let target = Target {
                file: &file,
                path: own.path(),
                flags: 0,
                offset: 0,
                length: PAGE,
            };
            for breaker in &sharing {
                let refused = [Errno::ETXTBSY, Errno::EPERM, Errno::EACCES];
                one_of(breaker.name, (breaker.run)(&target), &refused)?;
            }
        }
        from_io(file.sync_all()).context("fsync")
    })?;
    remove_other(own.path());
    std::thread::sleep(WHILE);
    let query = holder.act(&Act::Query).context("the holder was killed")?;
    ensure!(query.state == "held" && query.pins == 1, "{query:?}");
    let ended = holder.end()?;
    let asked: Vec<&Seen> = ended
        .events
        .iter()
        .filter(|event| event.is_break())
        .collect();
    ensure!(asked.is_empty(), "the holder was asked: {asked:?}");
    residue::none_left()
}
