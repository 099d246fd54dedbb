// SPDX-License-Identifier: GPL-2.0
//! A program that runs beside the test, whose lines the test waits for.

use std::{
    fs,
    io::{Read, Write},
    os::fd::AsFd,
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{bail, ensure, Context, Result};
use nix::{
    errno::Errno,
    poll::{poll, PollFd, PollFlags, PollTimeout},
    sys::signal::{kill, Signal},
    unistd::Pid,
};

/// How long a program may take for what should be at once.
const SOON: Duration = Duration::from_secs(20);

/// A running program; dropping it kills it.  Has no thread: tests fork.
#[derive(Debug)]
pub struct Program {
    child: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
    /// What was read and is not a whole line yet, or a line not asked for.
    pending: Vec<u8>,
    /// What it wrote to standard error, once that was read.
    errors: String,
}

impl Program {
    /// Starts it, with pipes for its input, output and errors.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {:?}", command.get_program()))?;
        Ok(Self {
            input: child.stdin.take(),
            output: child.stdout.take().context("no standard output")?,
            child,
            pending: Vec::new(),
            errors: String::new(),
        })
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Sends it a signal.
    ///
    /// # Errors
    ///
    /// kill(2)'s errno.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(Pid::from_raw(self.pid()), signal).context("kill")
    }

    /// Writes a line to its standard input.
    ///
    /// # Errors
    ///
    /// It does not read any more.
    pub fn say(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().context("its input has ended")?;
        // In one write, lest the program reads the line without its end.
        input
            .write_all(format!("{line}\n").as_bytes())
            .context("writing to a program")
    }

    /// Ends its standard input.
    pub fn end_input(&mut self) {
        self.input = None;
    }

    /// Its next line.
    ///
    /// # Errors
    ///
    /// None comes soon, or it ends before.
    pub fn line(&mut self) -> Result<String> {
        self.line_within(SOON)?.context("no line came")
    }

    /// Its next line, if one comes within `limit`.
    ///
    /// # Errors
    ///
    /// It ends before.
    pub fn line_within(&mut self, limit: Duration) -> Result<Option<String>> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(end) = self.pending.iter().position(|&byte| byte == b'\n') {
                let rest = self.pending.split_off(end + 1);
                let line = std::mem::replace(&mut self.pending, rest);
                return Ok(Some(String::from_utf8_lossy(&line[..end]).into_owned()));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let mut fds = [PollFd::new(self.output.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::try_from(left)?) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(Errno::EINTR) => continue,
                Err(errno) => bail!("poll: {errno}"),
            }
            let mut buffer = [0; 4096];
            let length = self.output.read(&mut buffer)?;
            ensure!(length > 0, "it ended: {}", self.errors()?);
            self.pending.extend_from_slice(&buffer[..length]);
        }
    }

    /// What it wrote to standard error; waits for its end.
    fn errors(&mut self) -> Result<String> {
        if let Some(mut errors) = self.child.stderr.take() {
            errors.read_to_string(&mut self.errors)?;
        }
        Ok(self.errors.trim().to_owned())
    }

    /// Whether it has ended.
    ///
    /// # Errors
    ///
    /// wait(2)'s errno.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits for its end; gives its exit status and what it wrote to standard
    /// error.
    ///
    /// # Errors
    ///
    /// It does not end soon.
    pub fn end(mut self) -> Result<(ExitStatus, String)> {
        let status = self.wait(SOON)?;
        Ok((status, self.errors()?))
    }

    /// Waits for its end; gives its exit status and all that it wrote and
    /// nobody has read, standard error last.
    ///
    /// # Errors
    ///
    /// It does not end within `limit`.
    pub fn everything(mut self, limit: Duration) -> Result<(ExitStatus, String)> {
        let status = self.wait(limit)?;
        self.output.read_to_end(&mut self.pending)?;
        let output = String::from_utf8_lossy(&self.pending).trim().to_owned();
        Ok((status, format!("{output}\n{}", self.errors()?)))
    }

    fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(Instant::now() < deadline, "the program does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// How many anonymous files of the kernel it has open: a lease is one.
    ///
    /// # Errors
    ///
    /// /proc cannot be read.
    pub fn anonymous_files(&self) -> Result<usize> {
        let mut count = 0;
        for entry in fs::read_dir(format!("/proc/{}/fd", self.pid()))? {
            // One that is closed meanwhile is none.
            let Ok(target) = fs::read_link(entry?.path()) else {
                continue;
            };
            count += usize::from(target.to_string_lossy().starts_with("anon_inode:"));
        }
        Ok(count)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Of one that has ended, nothing is left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Program {
        Program::start(Command::new("sh").args(["-c", script])).unwrap()
    }

    #[test]
    fn lines_and_end() {
        let mut program = shell("printf 'a\\nb\\nc'; read x; echo d; echo e >&2; exit 3");
        assert_eq!(program.line().unwrap(), "a");
        assert_eq!(program.line().unwrap(), "b");
        let nothing = program.line_within(Duration::from_millis(50)).unwrap();
        assert_eq!(nothing, None);
        program.end_input();
        assert_eq!(program.line().unwrap(), "cd");
        let (status, errors) = program.end().unwrap();
        assert_eq!((status.code(), errors.as_str()), (Some(3), "e"));
    }

    #[test]
    fn everything_that_was_not_read() {
        let mut program = shell("read x; echo a$x; echo b; echo e >&2; kill -9 $$");
        program.say("x").unwrap();
        assert_eq!(program.line().unwrap(), "ax");
        let (status, text) = program.everything(SOON).unwrap();
        assert_eq!((status.code(), text.as_str()), (None, "b\ne"));
    }

    #[test]
    fn an_early_end_says_why() {
        let mut program = shell("echo broken >&2");
        let error = program.line().unwrap_err().to_string();
        assert_eq!(error, "it ended: broken");
    }
}
