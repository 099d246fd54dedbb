// SPDX-License-Identifier: GPL-2.0
//! ACQUIRE: its fields but for the range.

use std::{
    fs::{self, File, OpenOptions},
    os::{
        fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
        unix::{fs::OpenOptionsExt, net::UnixStream},
    },
    time::Duration,
};

use anyhow::{ensure, Context as _, Result};
use nix::{
    errno::Errno,
    sys::signal::{signal, SigHandler, Signal},
};
use pinlease::{issue, uapi, Device, Policy, State};

use super::common::{check_sizes, lease, request, setup};
use crate::{
    harness::{Context, TestResult},
    support::{
        expect::{errno, from_io, one_of, success},
        extended::with_size,
        proc::{leases, wait_for},
        process, Mapped,
    },
};

/// A lease is what was asked for, and the kernel's lease core knows it.
pub fn happy(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    ensure!(leases(&mapped)?.is_empty(), "leased before it was");
    let lease = device
        .lease(&mapped)
        .range(4096, 8192)
        .policy(Policy::Refuse)
        .grace(Duration::from_millis(1500))
        .acquire()?;
    let query = lease.query()?;
    ensure!(
        (query.offset, query.length) == (4096, 8192)
            && query.policy == Some(Policy::Refuse)
            && query.state == State::Held
            && query.grace == Duration::from_millis(1500)
            && (query.pins, query.pinned_bytes, query.errors) == (0, 0, 0),
        "not what was asked for: {query:?}"
    );
    let lines = leases(&mapped)?;
    ensure!(
        lines.len() == 1 && lines[0].contains("ACTIVE"),
        "/proc/locks: {lines:?}"
    );
    drop(lease);
    let gone = || Ok(leases(&mapped)?.is_empty());
    wait_for("/proc/locks is empty again", Duration::from_secs(5), gone)?;
    Ok(())
}

/// The size of the structure.
pub fn sizes(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    check_sizes(&device, request(&mapped))
}

/// Flags, the reserved field, the policy.
pub fn fields(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    for bit in 0..32 {
        let known = uapi::PINLEASE_ACQUIRE_CLOEXEC | uapi::PINLEASE_ACQUIRE_GRANT;
        if known & (1 << bit) != 0 {
            continue;
        }
        let mut wrong = request(&mapped);
        wrong.flags |= 1 << bit;
        let result = issue(device.as_fd(), &mut wrong);
        errno(&format!("flag {bit}"), result, Errno::EINVAL)?;
    }
    let mut wrong = request(&mapped);
    wrong.reserved = 1;
    errno("reserved", issue(device.as_fd(), &mut wrong), Errno::EINVAL)?;
    let mut wrong = request(&mapped);
    wrong.policy = 99;
    let expected = [Errno::EINVAL, Errno::EOPNOTSUPP];
    one_of("policy 99", issue(device.as_fd(), &mut wrong), &expected)
}

/// What is not a regular file, open for reading and writing.
pub fn descriptors(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    let path = mapped.path();
    let mut options = OpenOptions::new();
    let read_only = File::open(path)?;
    let write_only = options.write(true).open(path)?;
    let by_path = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open(path)?;
    let lease = lease(&device, &mapped)?;
    let (socket, _other) = UnixStream::pair()?;
    let null = options.read(true).open("/dev/null")?;
    let folder = File::open(&context.dir)?;
    let closed = {
        let file = File::open(path)?;
        file.as_raw_fd()
    };

    let cases: [(&str, i32, &[Errno]); 11] = [
        ("no descriptor", -1, &[Errno::EBADF]),
        ("a closed descriptor", closed, &[Errno::EBADF]),
        ("a high descriptor", i32::MAX, &[Errno::EBADF]),
        ("O_RDONLY", read_only.as_raw_fd(), &[Errno::EBADF]),
        ("O_WRONLY", write_only.as_raw_fd(), &[Errno::EBADF]),
        ("O_PATH", by_path.as_raw_fd(), &[Errno::EBADF]),
        (
            "a folder",
            folder.as_raw_fd(),
            &[Errno::EBADF, Errno::EINVAL],
        ),
        ("a socket", socket.as_raw_fd(), &[Errno::EINVAL]),
        ("/dev/null", null.as_raw_fd(), &[Errno::EINVAL]),
        (
            "a lease",
            lease.as_fd().as_raw_fd(),
            &[Errno::EINVAL, Errno::EBADF],
        ),
        ("the device", device.as_fd().as_raw_fd(), &[Errno::EINVAL]),
    ];
    for (what, fd, expected) in cases {
        let mut wrong = request(&mapped);
        wrong.fd = fd;
        one_of(what, issue(device.as_fd(), &mut wrong), expected)?;
    }
    Ok(())
}

/// Another user's file cannot be leased, one's own can.
pub fn owner(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    let attempt = |expected| {
        let (device, mapped) = (&device, &mapped);
        process::as_nobody(move || {
            let result = issue(device.as_fd(), &mut request(mapped));
            match expected {
                Some(expected) => errno("as nobody", result, expected),
                None => success("as the owner", result).map(drop),
            }
        })
    };
    attempt(Some(Errno::EACCES))?;
    let nobody = Some(process::NOBODY);
    std::os::unix::fs::fchown(mapped.file(), nobody, nobody)?;
    attempt(None)
}

/// While the lease core breaks another lease, there is no new one.
pub fn while_breaking(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    let (fd, path) = exclusive(mapped)?;
    // SAFETY: no handler; the signal would end the process.
    unsafe { signal(Signal::SIGIO, SigHandler::SigIgn) }?;
    set_lease(&fd, libc::F_WRLCK).context("F_SETLEASE")?;
    let breaker = process::spawn(|| {
        from_io(OpenOptions::new().write(true).open(&path))
            .map(drop)
            .context("open of the breaker")
    })?;
    let breaking = || Ok(fs::read_to_string("/proc/locks")?.contains("BREAKING"));
    wait_for("the lease is breaking", Duration::from_secs(10), breaking)?;

    let mut acquire = with_size(uapi::pinlease_acquire {
        fd: fd.as_raw_fd(),
        policy: uapi::PINLEASE_POLICY_REFUSE,
        ..Default::default()
    });
    let result = issue(device.as_fd(), &mut acquire);
    set_lease(&fd, libc::F_UNLCK)?;
    breaker.join()?;
    fs::remove_file(&path)?;
    errno(
        "ACQUIRE of a file whose lease breaks",
        result,
        Errno::EAGAIN,
    )?;
    works_now(&device, &fd)
}

/// A file that is open once only, as a write lease wants it.
fn exclusive(mapped: Mapped) -> Result<(File, std::path::PathBuf)> {
    let path = mapped.path().with_extension("exclusive");
    drop(mapped);
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)?;
    file.set_len(4096)?;
    Ok((file, path))
}

fn set_lease(file: &File, kind: i32) -> nix::Result<()> {
    // SAFETY: the command takes an integer.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, kind) };
    Errno::result(result).map(drop)
}

fn works_now(device: &Device, file: &File) -> TestResult {
    let mut acquire = with_size(uapi::pinlease_acquire {
        fd: file.as_raw_fd(),
        policy: uapi::PINLEASE_POLICY_REFUSE,
        ..Default::default()
    });
    let fd = success("ACQUIRE afterwards", issue(device.as_fd(), &mut acquire))?;
    // SAFETY: the command returned a descriptor that nobody else owns.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(())
}
