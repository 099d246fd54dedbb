// SPDX-License-Identifier: GPL-2.0
//! Whichever way a breaker comes to the file, it meets the lease.

use std::{
    fs::{self, File},
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{ensure, Context as _, Result};
use nix::{
    errno::Errno,
    mount::{mount, umount2, MntFlags, MsFlags},
    sched::{unshare, CloneFlags},
};
use pinlease::Policy;

use super::here;
use crate::{
    harness::{Context, TestResult},
    support::{
        breakers::{self, remove_other, Breaker, Target},
        expect::from_io,
        page_size, Act, Breaking, Fill, Handler, HolderPlan, Mapped, When,
    },
};

const PAGE: u64 = page_size() as u64;
const PAGES: u64 = 24;
/// Nobody waits for it.
const AGES: Duration = Duration::from_secs(30);
const LIMIT: Duration = Duration::from_secs(15);
const PROMPT: Duration = Duration::from_millis(10);

/// A way to the file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// A descriptor older than the lease.
    Older,
    /// One that is opened again by its number.
    Reopened,
    /// Another name.
    Link,
    /// Another mount.
    Mount,
    /// A mount in another namespace.
    MountNamespace,
    /// Another user namespace.
    UserNamespace,
}

const WAYS: [Way; 6] = [
    Way::Older,
    Way::Reopened,
    Way::Link,
    Way::Mount,
    Way::MountNamespace,
    Way::UserNamespace,
];

/// A folder, mounted at a second place; dropping it unmounts it.
struct Bound(PathBuf);

impl Bound {
    fn new(dir: &Path) -> Result<Self> {
        let at = std::env::temp_dir().join("pinlease-bound");
        fs::create_dir_all(&at)?;
        bind(dir, &at).context("bind mount")?;
        Ok(Self(at))
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

fn bind(from: &Path, to: &Path) -> nix::Result<()> {
    mount(Some(from), to, None::<&str>, MsFlags::MS_BIND, None::<&str>)
}

/// Every breaker, every way.
pub fn ways(context: &Context) -> TestResult {
    context.load_modules()?;
    for way in WAYS {
        let begin = std::time::Instant::now();
        for breaker in here(context)? {
            if !breaker.waits {
                continue;
            }
            // The administrator's alone.
            if breaker.name == "swapon" && way == Way::UserNamespace {
                continue;
            }
            meet(context, breaker, way).with_context(|| format!("{}, {way:?}", breaker.name))?;
        }
        println!("{way:?}: {:?}", begin.elapsed());
    }
    Ok(())
}

/// The breaker waits until the holder answers.
fn meet(context: &Context, breaker: &Breaker, way: Way) -> TestResult {
    let path = breaker.place(&context.dir, "ways")?;
    let mapped = Mapped::create(&path, PAGES, Fill::Faulted)?;
    breaker.prepare(&path)?;
    let bound = Bound::new(path.parent().context("no folder")?)?;
    let older = breakers::open(&path, 0)?;
    let mut holder = HolderPlan::new(8..16, Policy::Revoke, AGES)
        .answer(Act::Close, When::AfterBreak(PROMPT))
        .start(&mapped)?;
    let breaking = Breaking::begin(Handler::Interrupts, || {
        let (file, path) = go(way, older, &path, &bound.0)?;
        (breaker.run)(&Target {
            file: &file,
            path: &path,
            flags: 0,
            offset: 12 * PAGE,
            length: 4 * PAGE,
        })
    })?;
    let event = holder.wait_break();
    let broken = breaking.end(LIMIT)?;
    let event = event?;
    broken.result()?;
    let answer = holder.end()?.answer.context("no answer")?;
    ensure!(broken.end >= answer.begin, "the breaker did not wait");
    ensure!(
        event.operation == Some(breaker.operation.to_string()),
        "the holder was told {event:?}"
    );
    remove_other(&path);
    match fs::remove_file(path.with_extension("link")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Goes a way; returns what is at its end.
fn go(way: Way, older: File, path: &Path, bound: &Path) -> nix::Result<(File, PathBuf)> {
    let name = path.file_name().ok_or(Errno::EINVAL)?;
    let at = |path: PathBuf| {
        let file = breakers::open(&path, 0).map_err(|error| {
            let errno = error.downcast_ref::<std::io::Error>();
            errno
                .and_then(std::io::Error::raw_os_error)
                .map_or(Errno::EIO, Errno::from_raw)
        });
        file.map(|file| (file, path))
    };
    match way {
        Way::Older => Ok((older, path.into())),
        Way::Reopened => {
            let number = format!("/proc/self/fd/{}", older.as_raw_fd());
            let (file, _) = at(number.into())?;
            Ok((file, path.into()))
        }
        Way::Link => {
            let link = path.with_extension("link");
            from_io(fs::hard_link(path, &link))?;
            at(link)
        }
        Way::Mount => at(bound.join(name)),
        Way::MountNamespace => {
            unshare(CloneFlags::CLONE_NEWNS)?;
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            mount(None::<&str>, "/", None::<&str>, private, None::<&str>)?;
            bind(path.parent().ok_or(Errno::EINVAL)?, Path::new("/mnt"))?;
            at(Path::new("/mnt").join(name))
        }
        Way::UserNamespace => {
            unshare(CloneFlags::CLONE_NEWUSER)?;
            at(path.into())
        }
    }
}
