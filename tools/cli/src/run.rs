// SPDX-License-Identifier: GPL-2.0
//! `pinlease run`.

use std::{
    convert::Infallible,
    ffi::{CString, OsString},
    fs::OpenOptions,
    os::{
        fd::{AsFd, BorrowedFd, RawFd},
        unix::ffi::OsStringExt,
    },
    time::Duration,
};

use anyhow::{anyhow, Context, Result};
use clap::Args;
use nix::{
    errno::Errno,
    fcntl::{fcntl, FcntlArg},
    sys::resource::{getrlimit, Resource},
    unistd::execvp,
};
use pinlease::{Device, Policy};

use crate::{
    failure::Failure,
    range::FileRange,
    refusal::{Wanted, REVOKE},
    sigpipe,
    units::printable,
};

/// Exit statuses as env(1) and nohup(1) have them: what is not the command's
/// own doing is told from what the command says.
const FAILED: u8 = 125;
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// Run a program that pins memory of files.
///
/// Takes leases with which io_uring's registered buffers, RDMA memory regions,
/// VFIO and AF_XDP accept memory that COMMAND maps from the files, and becomes
/// COMMAND, which needs to know nothing of it.
#[derive(Args, Debug)]
pub struct Run {
    /// What to lease: files, or ranges of them; K, M and G are powers of 1024.
    /// May be repeated.
    #[arg(long = "lease", value_name = "FILE[:OFFSET,LENGTH]")]
    #[arg(required = true, num_args = 1..)]
    leases: Vec<FileRange>,
    /// Who yields to a conflicting operation, the breaker, when the grace is
    /// over: kill (COMMAND is killed), block (the breaker waits) or refuse (the
    /// breaker is refused at once).
    #[arg(long, default_value_t, value_parser = policy)]
    policy: Policy,
    /// How long a breaker waits, such as 500ms or 5s; by default the sysctl
    /// fs.lease-break-time.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    grace: Option<Duration>,
    /// The program, looked for in PATH, and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// One that a lease with a grant can have.
fn policy(text: &str) -> Result<Policy, &'static str> {
    match text.parse()? {
        Policy::Revoke => Err(REVOKE),
        policy => Ok(policy),
    }
}

impl Run {
    /// Takes the leases, and becomes the command: returns only if that failed.
    pub fn run(self) -> Result<Infallible, Failure> {
        self.acquire()
            .map_err(|error| Failure::new(FAILED, error))?;
        become_command(self.command)
    }

    /// The leases are then in open file descriptors.
    fn acquire(&self) -> Result<()> {
        let device = Device::open()?;
        for range in &self.leases {
            let path = || printable(&range.path.display().to_string());
            // The lease keeps the file open by itself; the command finds no
            // descriptor of it that it did not open.
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .open(&range.path)
                .with_context(path)?;
            let lease = device
                .lease(&file)
                .range(range.offset, range.length)
                .policy(self.policy)
                .grace(self.grace.unwrap_or_default())
                .grant(true)
                .acquire();
            let wanted = Wanted {
                range,
                policy: self.policy,
                grant: true,
            };
            let lease = lease.map_err(|error| anyhow!(wanted.refused(error, &file)))?;
            inherit(lease.as_fd()).with_context(path)?;
        }
        Ok(())
    }
}

/// Makes a copy of the descriptor that execve(2) leaves open.
///
/// Its number is high, as programs and shell scripts count on the low ones.
fn inherit(lease: BorrowedFd<'_>) -> Result<RawFd> {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).context("getrlimit")?;
    let lowest = RawFd::try_from(limit / 2).unwrap_or(RawFd::MAX).min(512);
    fcntl(lease, FcntlArg::F_DUPFD(lowest)).context("too many open files; raise 'ulimit -n'")
}

/// Replaces the program.
fn become_command(command: Vec<OsString>) -> Result<Infallible, Failure> {
    let name = command.first().map(|name| name.to_string_lossy());
    let name = printable(&name.unwrap_or_default());
    let arguments: Vec<CString> = command
        .into_iter()
        .map(|argument| CString::new(argument.into_vec()))
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::new(FAILED, error))?;
    let Some(program) = arguments.first() else {
        return Err(Failure::new(FAILED, anyhow!("no command")));
    };
    sigpipe::as_inherited();
    let Err(errno) = execvp(program, &arguments);
    sigpipe::end_quietly();
    Err(not_executed(&name, errno))
}

fn not_executed(name: &str, errno: Errno) -> Failure {
    let (status, text) = match errno {
        Errno::ENOENT => (NOT_FOUND, "command not found"),
        Errno::EACCES => (NOT_EXECUTABLE, "permission denied, or not executable"),
        other => (NOT_EXECUTABLE, other.desc()),
    };
    Failure::new(status, anyhow!("{name}: {text}"))
}

#[cfg(test)]
mod tests {
    use std::{fs::File, process::ExitCode};

    use clap::{error::ErrorKind, Parser};
    use nix::{fcntl::FdFlag, sys::resource::setrlimit};

    use super::*;

    /// The command line after `pinlease run`.
    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        run: Run,
    }

    fn parse(arguments: &[&str]) -> Result<Run, clap::Error> {
        let line = Line::try_parse_from([&["run"], arguments].concat());
        line.map(|line| line.run)
    }

    #[test]
    fn the_command_keeps_its_own_options() {
        let run = parse(&[
            "--lease",
            "a",
            "--lease",
            "b:4K,8K",
            "--policy",
            "block",
            "--grace",
            "1500ms",
            "--",
            "ib_write_bw",
            "--mmap=a",
            "--lease",
            "x",
            "--",
            "-h",
        ])
        .unwrap();
        assert_eq!(
            run.leases,
            ["a".parse().unwrap(), "b:4K,8K".parse().unwrap()]
        );
        assert_eq!(run.policy, Policy::Block);
        assert_eq!(run.grace, Some(Duration::from_millis(1500)));
        let command = ["ib_write_bw", "--mmap=a", "--lease", "x", "--", "-h"];
        assert_eq!(run.command, command);
    }

    #[test]
    fn defaults() {
        let run = parse(&["--lease", "a", "b", "--", "true"]).unwrap();
        assert_eq!((run.leases.len(), run.command.len()), (2, 1));
        assert_eq!((run.policy, run.grace), (Policy::Kill, None));
    }

    #[test]
    fn what_is_missing_or_wrong() {
        for (arguments, kind) in [
            (&["--", "true"][..], ErrorKind::MissingRequiredArgument),
            (&["--lease", "a"], ErrorKind::MissingRequiredArgument),
            (&["--lease", "a", "--"], ErrorKind::MissingRequiredArgument),
            (
                &["--lease", "a:x,1", "--", "true"],
                ErrorKind::ValueValidation,
            ),
            (
                &["--lease", "a", "--grace", "5", "--", "true"],
                ErrorKind::ValueValidation,
            ),
            (
                &["--lease", "a", "--policy", "murder", "--", "true"],
                ErrorKind::ValueValidation,
            ),
        ] {
            let error = parse(arguments).unwrap_err();
            assert_eq!(error.kind(), kind, "{arguments:?}: {error}");
        }
    }

    #[test]
    fn revoke_is_explained() {
        let error = parse(&["--lease", "a", "--policy", "revoke", "--", "true"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ValueValidation);
        assert!(error.to_string().contains(REVOKE), "{error}");
    }

    #[test]
    fn statuses_of_what_cannot_be_executed() {
        let found = |errno| {
            let failure = not_executed("x", errno);
            (failure.status(), failure.to_string())
        };
        let expected = (ExitCode::from(127), "x: command not found".to_owned());
        assert_eq!(found(Errno::ENOENT), expected);
        assert_eq!(found(Errno::EACCES).0, ExitCode::from(126));
        assert_eq!(found(Errno::E2BIG).0, ExitCode::from(126));
    }

    #[test]
    fn what_is_inherited_has_a_high_number_and_no_cloexec() {
        let file = File::open("/dev/null").unwrap();
        let limits = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        for (limit, lowest) in [(limits.0, 512.min(limits.0 / 2)), (100, 50)] {
            setrlimit(Resource::RLIMIT_NOFILE, limit, limits.1).unwrap();
            let copy = inherit(file.as_fd()).unwrap();
            assert!(u64::try_from(copy).unwrap() >= lowest, "{copy}");
            // SAFETY: the descriptor is open, and closed by nobody.
            let copy = unsafe { BorrowedFd::borrow_raw(copy) };
            let flags = fcntl(copy, FcntlArg::F_GETFD).unwrap();
            assert_eq!(flags & FdFlag::FD_CLOEXEC.bits(), 0);
        }
        setrlimit(Resource::RLIMIT_NOFILE, limits.0, limits.1).unwrap();
    }
}
