// SPDX-License-Identifier: GPL-2.0
//! The recipes in samples/trace say what they are said to say.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure, Context as _, Result};
use nix::{errno::Errno, sys::signal::Signal};
use pinlease::Policy;

use crate::{
    harness::{skip, Context, TestResult},
    support::{
        command::output, page_size, tracer::buffers, Act, Breaking, Fill, Holder, HolderPlan,
        Mapped, Program, RigOptions, When,
    },
};

/// It compiles, under emulation.
const SLOW: Duration = Duration::from_secs(100);

/// What a script says when it has attached its probes.
const ATTACHED: &str = "attached";

const PAGES: u64 = 8;
const LONG: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_secs(30);

/// A recipe of the tree: a file that can be executed, and is removed in the end.
struct Recipe(PathBuf);

impl Recipe {
    fn new(context: &Context, name: &str, text: &str) -> Result<Self> {
        let path = context.path(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(Self(path))
    }
}

impl Drop for Recipe {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Runs a script while `act` does what it is to see; gives what it prints.
fn bpftrace(context: &Context, script: &str, act: impl FnOnce() -> TestResult) -> Result<String> {
    let script = format!("{script}\ninterval:s:1 {{ printf(\"{ATTACHED}\\n\"); }}\n");
    let recipe = Recipe::new(context, "recipe.bt", &script)?;
    let mut command = Command::new("bpftrace");
    let Ok(mut program) = Program::start(command.args(["-B", "line"]).arg(&recipe.0)) else {
        return skip("needs the program bpftrace");
    };
    let deadline = Instant::now() + 2 * SLOW;
    while !program
        .line_within(SLOW)?
        .context("no line came")?
        .contains(ATTACHED)
    {
        ensure!(Instant::now() < deadline, "bpftrace does not attach");
    }
    act()?;
    program.signal(Signal::SIGINT)?;
    let (status, said) = program.everything(SLOW)?;
    println!("{said}");
    ensure!(status.success(), "{status}: {said}");
    Ok(said)
}

/// The line that begins so; what follows it.
fn after<'a>(text: &'a str, begin: &str) -> Result<&'a str> {
    let found = text.lines().find_map(|line| line.strip_prefix(begin));
    found.with_context(|| format!("no line '{begin}...' in {text}"))
}

/// Holders who answer after a time are in the histogram of that time.
pub fn break_latency(context: &Context) -> TestResult {
    context.load_modules()?;
    const DELAY: Duration = Duration::from_millis(300);
    let script = include_str!("../../../../../samples/trace/break-latency.bt");
    let mut name = String::new();
    let said = bpftrace(context, script, || {
        let mapped = Mapped::create(&context.path("latency"), PAGES, Fill::Faulted)?;
        let holder = HolderPlan::new(0..PAGES, Policy::Block, LONG)
            .answer(Act::Close, When::AfterBreak(DELAY))
            .start(&mapped)?;
        name = fs::read_to_string(format!("/proc/{}/comm", holder.pid()))?;
        Breaking::truncate(mapped.path(), 0)?.end(LIMIT)?.result()?;
        Ok(())
    })?;
    after(&said, &format!("@us[{}]:", name.trim()))?;
    // 2^18 microseconds are 262 ms; a busy machine may make it longer.
    let buckets: Vec<_> = said.lines().filter(|line| line.starts_with('[')).collect();
    ensure!(buckets.len() == 1, "{buckets:?}");
    let late = [
        "[256K, 512K)",
        "[512K, 1M)",
        "[1M, 2M)",
        "[2M, 4M)",
        "[4M, 8M)",
    ];
    ensure!(
        late.iter().any(|bucket| buckets[0].starts_with(bucket)),
        "{buckets:?}"
    );
    let count = buckets[0].split_whitespace().nth(2);
    ensure!(count == Some("1"), "{buckets:?}");
    Ok(())
}

/// What QUERY counts is what the file has.
pub fn bounced_bytes(context: &Context) -> TestResult {
    use std::os::unix::fs::MetadataExt;
    context.load_modules()?;
    let script = include_str!("../../../../../samples/trace/bounced-bytes.bt");
    let mut expected = (0, 0);
    let said = bpftrace(context, script, || {
        let options = RigOptions::new(context.side, PAGES, Fill::Faulted);
        let rig = options.build(&context.path("bytes"))?;
        rig.engine.write_all(1)?;
        rig.fsync()?;
        let snapshots = rig.lease()?.query()?.snapshots;
        ensure!(snapshots >= PAGES, "{snapshots} pages");
        let bytes = snapshots * page_size() as u64;
        expected = (rig.mapped.file().metadata()?.ino(), bytes);
        Ok(())
    })?;
    let (inode, bytes) = expected;
    let found = said
        .lines()
        .any(|line| line.starts_with("@bytes[") && line.ends_with(&format!(", {inode}]: {bytes}")));
    ensure!(found, "not {bytes} bytes of inode {inode}: {said}");
    Ok(())
}

/// Each breaker is counted, with its name.
pub fn breakers(context: &Context) -> TestResult {
    context.load_modules()?;
    let script = include_str!("../../../../../samples/trace/breakers.bt");
    let said = bpftrace(context, script, || {
        let mapped = Mapped::create(&context.path("breakers"), PAGES, Fill::Faulted)?;
        let _holder = HolderPlan::new(0..PAGES, Policy::Refuse, LONG).start(&mapped)?;
        for _ in 0..3 {
            refused(&mapped)?;
        }
        Ok(())
    })?;
    let line = after(&said, "@refused[breaker, ")?;
    ensure!(line.ends_with("]: 3"), "{line}");
    ensure!(!said.contains("@broken["), "{said}");
    Ok(())
}

fn refused(mapped: &Mapped) -> TestResult {
    match Breaking::truncate(mapped.path(), 0)?.end(LIMIT)?.result() {
        Err(Errno::ETXTBSY) => Ok(()),
        other => bail!("{other:?}"),
    }
}

/// What a command broke is reported, by trace-cmd.
pub fn breaks_of_command(context: &Context) -> TestResult {
    context.load_modules()?;
    let script = include_str!("../../../../../samples/trace/breaks-of-command");
    let recipe = Recipe::new(context, "breaks-of-command", script)?;
    let mapped = Mapped::create(&context.path("command"), PAGES, Fill::Faulted)?;
    let holder = HolderPlan::new(0..PAGES, Policy::Refuse, LONG).start(&mapped)?;
    let path = mapped.path().to_str().context("UTF-8")?;
    let recipe = recipe.0.to_str().context("UTF-8")?;
    output("trace-cmd", &["--version"]).or_else(|error| {
        match error.is::<crate::harness::Skip>() {
            true => Err(error),
            false => Ok(String::new()),
        }
    })?;
    // It runs to its end, or is interrupted together with the recipe.
    for end in ["", "; kill -INT $PPID $$"] {
        let said = output(recipe, &["sh", "-c", &format!("(: >'{path}'){end}")])?;
        println!("{said}");
        reports_refusal(&said, &holder)?;
    }
    let left = buffers("breaks-of-command")?;
    ensure!(left.is_empty(), "{left:?}");
    Ok(())
}

/// Whether trace-cmd's report tells of the refusal.
fn reports_refusal(said: &str, holder: &Holder) -> TestResult {
    let line = said.lines().find(|line| line.contains(" lease_refuse: "));
    let line = line.context("no lease_refuse")?;
    let parts = [
        format!("lease {} policy refuse", holder.lease()),
        "operation truncate".into(),
        format!("holder {}", holder.pid()),
    ];
    for part in parts {
        ensure!(line.contains(&part), "no '{part}' in {line}");
    }
    ensure!(line.trim_start().starts_with("sh-"), "{line}");
    let done = said.lines().find(|line| line.contains(" break_done: "));
    ensure!(done.context("no break_done")?.contains("outcome refused"));
    Ok(())
}

/// What an fsync did for leases is counted, by perf.
pub fn price_of_command(context: &Context) -> TestResult {
    context.load_modules()?;
    let script = include_str!("../../../../../samples/trace/price-of-command");
    let recipe = Recipe::new(context, "price-of-command", script)?;
    let rig = RigOptions::new(context.side, PAGES, Fill::Faulted).build(&context.path("price"))?;
    rig.engine.write_all(1)?;
    let before = rig.lease()?.query()?;
    output("perf", &["--version"])?;
    let path = rig.mapped.path();
    let result = Command::new(&recipe.0).arg("sync").arg(path).output()?;
    let said = String::from_utf8_lossy(&result.stderr);
    println!("{said}");
    ensure!(result.status.success(), "{}", result.status);
    let count = |event: &str| {
        let line = said.lines().find(|line| line.contains(event));
        let line = line.with_context(|| format!("no {event}"))?;
        let number = line.split_whitespace().next().unwrap_or_default();
        number
            .replace(',', "")
            .parse::<u64>()
            .context(line.to_owned())
    };
    let after = rig.lease()?.query()?;
    ensure!(after.snapshots > before.snapshots, "sync wrote nothing");
    ensure!(count("pinlease:snapshot")? > 0, "no snapshot");
    ensure!(
        count("pinlease:rearm")? == after.rearmed - before.rearmed,
        "rearm"
    );
    Ok(())
}
