// SPDX-License-Identifier: GPL-2.0
//! The examples that let others pin, in Rust (tools/lib/examples) and in C
//! (samples/user): they receive what is sent, and give way.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use anyhow::{ensure, Context as _, Result};
use pinlease::{Device, LeaseInfo};

use super::command::common::{setup, text, PAGE};
use crate::{
    harness::{skip, Context, Test, TestResult},
    support::{command::output, page_size, proc::wait_for, Fill, Mapped, Program},
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("examples.io-uring-receiver", receiver),
    Test::new("examples.io-uring-receiver-gives-way", receiver_gives_way),
    Test::new("examples.lease-grant", keeper),
    Test::new("examples.rdma", rdma),
];

/// Pages of the files.
const PAGES: u64 = 16;

/// The programs kill themselves by not answering within 5 s; this is less.
const AT_ONCE: Duration = Duration::from_secs(4);

/// How long what should be at once may take.
const SOON: Duration = Duration::from_secs(20);

/// An example, with arguments.
fn example(folder: &Path, name: &str, arguments: &[&str]) -> Result<Command> {
    let program = folder.join(name);
    if !program.exists() {
        return skip(format!("needs the example {}", program.display()));
    }
    let mut command = Command::new(program);
    command.args(arguments);
    Ok(command)
}

/// The one lease that there is.
fn lease(device: &Device) -> Result<Option<LeaseInfo>> {
    let leases: Vec<_> = device.leases().collect::<Result<_, _>>()?;
    ensure!(leases.len() < 2, "more than one lease: {leases:?}");
    Ok(leases.into_iter().next())
}

/// Waits until all of the file is registered.
fn registered(device: &Device) -> TestResult {
    let registered = || {
        let lease = lease(device)?;
        Ok(lease.is_some_and(|lease| lease.granted_bytes == PAGES * PAGE))
    };
    wait_for("the memory is registered", SOON, registered)?;
    Ok(())
}

/// The program has ended by itself with `status`, and its lease too.
fn ended(program: Program, device: &Device, status: i32) -> TestResult {
    let (ended, errors) = program.end()?;
    ensure!(ended.code() == Some(status), "{ended}: {errors}");
    wait_for("the lease is gone", SOON, || Ok(lease(device)?.is_none()))?;
    Ok(())
}

/// Cuts the file; the program must give way before it is killed.
fn cut(mapped: &Mapped, pages: u64) -> TestResult {
    let begin = Instant::now();
    mapped.file().set_len(pages * PAGE).context("truncate")?;
    let took = begin.elapsed();
    ensure!(took < AT_ONCE, "the grace was waited for: {took:?}");
    Ok(())
}

/// A page of text, without its end of line.
fn line(letter: &str) -> String {
    letter.repeat(page_size() - 1)
}

/// Line `number` of what the file has now.
fn has_line(mapped: &Mapped, number: usize, letter: &str) -> TestResult {
    let bytes = fs::read(mapped.path())?;
    let page = bytes.chunks(page_size()).nth(number).unwrap_or_default();
    let expected = line(letter) + "\n";
    ensure!(
        page == expected.as_bytes(),
        "page {number} is not of {letter}"
    );
    Ok(())
}

/// A disk's data comes by O_DIRECT.
fn receiver(context: &Context) -> TestResult {
    let (device, _) = setup(context, "example")?;
    let source = Mapped::create(&context.path("example-source"), PAGES, Fill::Written)?;
    let sink = Mapped::sparse(&context.path("example-sink"), PAGES)?;
    let arguments = [text(source.path())?, text(sink.path())?];
    let mut command = example(&context.examples, "io-uring-receiver", &arguments)?;
    let Output {
        status,
        stdout,
        stderr,
    } = command.output()?;
    let errors = String::from_utf8_lossy(&stderr);
    ensure!(status.success() && stderr.is_empty(), "{status}: {errors}");
    let expected = format!("{} bytes are durable\n", PAGES * PAGE);
    ensure!(stdout == expected.as_bytes(), "{stdout:?}");
    ensure!(
        fs::read(source.path())? == fs::read(sink.path())?,
        "the files differ"
    );
    wait_for("the lease is gone", SOON, || Ok(lease(&device)?.is_none()))?;
    Ok(())
}

/// A pipe's too, and while it is waited for, the file can be had back.
fn receiver_gives_way(context: &Context) -> TestResult {
    let (device, _) = setup(context, "example")?;
    let sink = Mapped::sparse(&context.path("example-sink"), PAGES)?;
    let arguments = ["/dev/stdin", text(sink.path())?];
    let mut command = example(&context.examples, "io-uring-receiver", &arguments)?;
    let mut program = Program::start(&mut command)?;
    program.say(&line("a"))?;
    let durable = program.line()?;
    ensure!(durable == "4096 bytes are durable", "{durable}");
    has_line(&sink, 0, "a")?;
    registered(&device)?;
    cut(&sink, 1)?;
    let wants = program.line()?;
    ensure!(wants.contains(" wants 4096,"), "{wants}");
    ended(program, &device, 0)
}

/// Gives back the end of the file, and receives on into the rest.
fn keeper(context: &Context) -> TestResult {
    let (device, _) = setup(context, "example")?;
    let sink = Mapped::sparse(&context.path("example-sink"), PAGES)?;
    let mut command = example(&context.samples, "lease-grant", &[text(sink.path())?])?;
    let mut program = Program::start(&mut command)?;
    registered(&device)?;
    program.say(&line("a"))?;
    let durable = program.line()?;
    ensure!(durable == "4096 bytes are durable", "{durable}");
    cut(&sink, PAGES / 2)?;
    let wants = program.line()?;
    ensure!(wants.contains(" wants 32768,"), "{wants}");
    let keeps = program.line()?;
    ensure!(keeps == "keeping 32768", "{keeps}");
    program.say(&line("b"))?;
    let durable = program.line()?;
    ensure!(durable == "8192 bytes are durable", "{durable}");
    let held = lease(&device)?.context("no lease")?;
    ensure!(
        (held.length, held.granted_bytes) == (PAGES / 2 * PAGE, PAGES / 2 * PAGE),
        "{held:?}"
    );
    for (page, letter) in ["a", "b"].into_iter().enumerate() {
        has_line(&sink, page, letter)?;
    }
    // What it has received is wanted: it gives all back.
    cut(&sink, 1)?;
    ended(program, &device, 0)
}

/// A network device with RDMA made of software; dropping it removes it.
struct Rxe(());

impl Rxe {
    const DEVICE: &str = "pinlease-rx0";
    const LINK: &str = "pinlease-rxe0";
    const ADDRESS: &str = "10.73.0.1";

    fn create() -> Result<Self> {
        for module in ["rdma_rxe", "rdma_ucm"] {
            output("modprobe", &[module])?;
        }
        output("ip", &["link", "add", Self::DEVICE, "type", "dummy"])?;
        let rxe = Self(());
        output("ip", &["link", "set", "lo", "up"])?;
        output("ip", &["link", "set", Self::DEVICE, "up"])?;
        let address = format!("{}/24", Self::ADDRESS);
        output("ip", &["address", "add", &address, "dev", Self::DEVICE])?;
        let add = [
            "link",
            "add",
            Self::LINK,
            "type",
            "rxe",
            "netdev",
            Self::DEVICE,
        ];
        output("rdma", &add)?;
        Ok(rxe)
    }
}

impl Drop for Rxe {
    fn drop(&mut self) {
        let _ = output("rdma", &["link", "delete", Self::LINK]);
        let _ = output("ip", &["link", "delete", Self::DEVICE]);
    }
}

/// Another machine writes the file's memory; then its owner wants it back.
fn rdma(context: &Context) -> TestResult {
    let (device, _) = setup(context, "example")?;
    let file = Mapped::sparse(&context.path("example-rdma"), PAGES)?;
    let port = "7471";
    let mut respond = example(
        &context.samples,
        "rdma-responder",
        &[text(file.path())?, port],
    )?;
    let mut write = example(&context.samples, "rdma-writer", &[Rxe::ADDRESS, port])?;
    let _rxe = Rxe::create()?;

    for gives_way in [false, true] {
        let mut responder = Program::start(&mut respond)?;
        let listening = responder.line()?;
        ensure!(listening == "listening", "{listening}");
        let mut writer = Program::start(&mut write)?;
        registered(&device)?;
        if gives_way {
            cut(&file, 0)?;
            let wants = responder.line()?;
            ensure!(wants.contains(" wants 0,"), "{wants}");
            ended(responder, &device, 0)?;
            writer.end_input();
            let (status, errors) = writer.end()?;
            ensure!(
                status.code() == Some(1) && errors.contains("the responder has gone"),
                "{status}: {errors}"
            );
        } else {
            for letter in ["a", "b"] {
                writer.say(&line(letter))?;
            }
            writer.end_input();
            let durable = writer.line()?;
            ensure!(durable == "8192 bytes are durable", "{durable}");
            ended(writer, &device, 0)?;
            ended(responder, &device, 0)?;
            for (page, letter) in ["a", "b"].into_iter().enumerate() {
                has_line(&file, page, letter)?;
            }
        }
    }
    Ok(())
}
