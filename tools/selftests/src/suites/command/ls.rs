// SPDX-License-Identifier: GPL-2.0
//! `pinlease ls`.

use std::{
    fs,
    os::unix::{
        fs::{symlink, MetadataExt},
        process::CommandExt,
    },
    path::Path,
    process::id,
    time::Duration,
};

use anyhow::{bail, ensure, Result};
use pinlease::{PinOptions, Policy, DEVICE_PATH};
use serde_json::{json, Value};

use super::common::{
    fails, field, json, number, output, parse, pinlease, run, setup, text, Breaker, Opened, LONG,
    PAGE, PAGES,
};
use crate::{
    harness::{skip, Context, TestResult},
    support::{command, page_size, proc::wait_for, process::NOBODY, Filesystem, Fill, Mapped},
};

/// Every field of the object, and every cell of the table.
pub fn fields(context: &Context) -> TestResult {
    let (device, mapped) = setup(context, "ls")?;
    let lease = device
        .lease(&mapped)
        .range(PAGE, 2 * PAGE)
        .policy(Policy::Kill)
        .grace(Duration::from_millis(1500))
        .acquire()?;
    let pin = lease.pin(mapped.address(1), page_size(), PinOptions::default())?;
    let path = text(mapped.path())?;

    let list = json(context, &["ls", "--json"])?;
    let [object] = list.as_array().map_or(&[][..], Vec::as_slice) else {
        bail!("not one lease: {list}");
    };
    let id = lease.query()?.id;
    ensure!(id != 0, "the lease has no id");
    field(object, "id", id)?;
    field(object, "path", path)?;
    field(object, "inode", mapped.file().metadata()?.ino())?;
    field(object, "offset", PAGE)?;
    field(object, "length", 2 * PAGE)?;
    field(object, "pid", id_of_this())?;
    field(object, "comm", "selftests")?;
    field(object, "uid", 0)?;
    field(object, "user", "root")?;
    field(object, "policy", "kill")?;
    field(object, "grace_ms", 1500)?;
    field(object, "pins", 1)?;
    field(object, "pinned_bytes", PAGE)?;
    field(object, "grant", false)?;
    field(object, "granted_bytes", Value::Null)?;
    field(object, "state", "held")?;
    field(object, "deadline_ns", Value::Null)?;
    field(object, "remaining_ms", Value::Null)?;

    let table = run(context, &["ls"])?;
    let mut lines = table.lines();
    let header = lines.next().unwrap_or_default();
    let titles: Vec<&str> = header.split_whitespace().collect();
    let expected = [
        "LEASE", "FILE", "RANGE", "HOLDER", "USER", "POLICY", "GRACE", "PINS", "BYTES", "GRANTED",
        "EXPORTS", "STATE",
    ];
    ensure!(titles == expected, "header: {header}");
    let row = lines.next().unwrap_or_default();
    let cells: Vec<&str> = row.split_whitespace().collect();
    let (id, pid) = (id.to_string(), id_of_this().to_string());
    let expected = [
        &id,
        path,
        "4K,8K",
        &pid,
        "selftests",
        "root",
        "kill",
        "1.5s",
        "1",
        "4K",
        "-",
        "-",
        "held",
    ];
    ensure!(cells == expected, "row: {row}");
    ensure!(lines.next().is_none(), "more than one row: {table}");
    Ok(pin.release()?)
}

fn id_of_this() -> i32 {
    id() as i32
}

/// Nothing is leased: an empty list is no failure.
pub fn none(context: &Context) -> TestResult {
    let (_, mapped) = setup(context, "ls-none")?;
    for more in [&[][..], &[text(mapped.path())?], &["--pid", "1"]] {
        let table = run(context, &[&["ls"], more].concat())?;
        ensure!(
            table.lines().count() == 1 && table.starts_with("LEASE "),
            "{more:?}: {table}"
        );
        let list = json(context, &[&["ls", "--json"], more].concat())?;
        ensure!(list == json!([]), "{more:?}: {list}");
    }
    Ok(())
}

/// By path, through a link too, and by process.
pub fn selection(context: &Context) -> TestResult {
    let (device, one) = setup(context, "ls-one")?;
    let two = Mapped::create(&context.path("ls-two"), PAGES, Fill::Faulted)?;
    let first = device.lease(&one).acquire()?;
    let second = device.lease(&two).acquire()?;
    let (first, second) = (first.query()?.id, second.query()?.id);
    let link = context.path("ls-link");
    let _ = fs::remove_file(&link);
    symlink(one.path(), &link)?;
    let (one, two) = (text(one.path())?, text(two.path())?);
    let pid = id_of_this().to_string();

    for (arguments, expected) in [
        (&[][..], &[first, second][..]),
        (&[one], &[first]),
        (&[two], &[second]),
        (&[two, one], &[first, second]),
        (&[text(&link)?], &[first]),
        (&["--pid", &pid], &[first, second]),
        (&["--pid", &pid, two], &[second]),
        (&["--pid", "1"], &[]),
        (&["--pid", "1", one], &[]),
    ] {
        let found = ids(&json(context, &[&["ls", "--json"], arguments].concat())?)?;
        ensure!(
            found == expected,
            "{arguments:?}: {found:?}, not {expected:?}"
        );
    }
    fs::remove_file(&link)?;
    Ok(())
}

fn ids(list: &Value) -> Result<Vec<u64>> {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    list.iter().map(|lease| number(lease, "id")).collect()
}

/// A break shows, with the time that is left, and goes away again.
pub fn breaking(context: &Context) -> TestResult {
    let (device, mapped) = setup(context, "ls-breaking")?;
    for (policy, has_deadline) in [(Policy::Kill, true), (Policy::Block, false)] {
        let lease = device.lease(&mapped).policy(policy).grace(LONG).acquire()?;
        let breaker = Breaker::truncate(mapped.path())?;
        let mut list = Value::Null;
        let breaking = || {
            list = json(context, &["ls", "--json"])?;
            Ok(list[0]["state"] == "breaking")
        };
        wait_for("the lease is breaking", Duration::from_secs(20), breaking)?;
        if has_deadline {
            let deadline = Duration::from_nanos(number(&list[0], "deadline_ns")?);
            let remaining = Duration::from_millis(number(&list[0], "remaining_ms")?);
            ensure!(remaining <= LONG, "more than the grace remains: {list}");
            ensure!(
                deadline <= pinlease::monotonic() + LONG,
                "a deadline after the grace: {list}"
            );
            ensure!(!remaining.is_zero(), "nothing remains: {list}");
        } else {
            field(&list[0], "deadline_ns", Value::Null)?;
            field(&list[0], "grace_ms", Value::Null)?;
        }
        let table = run(context, &["ls"])?;
        let words: Vec<&str> = table.split_whitespace().rev().take(2).collect();
        ensure!(
            if has_deadline {
                words[1] == "breaking" && words[0].ends_with('s')
            } else {
                words[0] == "breaking"
            },
            "{policy}: {table}"
        );
        drop(lease);
        breaker.join()?;
        ensure!(
            ids(&json(context, &["ls", "--json"])?)?.is_empty(),
            "the lease is still listed"
        );
        mapped.file().set_len(PAGES * PAGE)?;
    }
    Ok(())
}

/// Another user sees that there is a lease, but not of which name.
pub fn other_user(context: &Context) -> TestResult {
    let (device, mapped) = setup(context, "ls-other-user")?;
    let lease = device.lease(&mapped).acquire()?;
    let _opened = Opened::for_all()?;
    let mut command = pinlease(context, &["ls", "--json"])?;
    command.uid(NOBODY).gid(NOBODY);
    let list = parse(&output(command)?)?;
    field(&list[0], "id", lease.query()?.id)?;
    field(&list[0], "path", Value::Null)?;
    field(&list[0], "inode", mapped.file().metadata()?.ino())?;
    field(&list[0], "uid", 0)?;
    // Whose names are hidden can still be asked for: stat(2) is allowed.
    let mut command = pinlease(context, &["ls", text(mapped.path())?])?;
    command.uid(NOBODY).gid(NOBODY);
    let table = output(command)?;
    let row = table.lines().nth(1).unwrap_or_default();
    ensure!(
        row.contains(&format!("inode {} on ", mapped.file().metadata()?.ino())),
        "{table}"
    );
    Ok(())
}

/// A subvolume that is deleted in the end.
struct Subvolume<'a>(&'a Path);

impl<'a> Subvolume<'a> {
    fn create(path: &'a Path) -> Result<Self> {
        command::output("btrfs", &["-q", "subvolume", "create", text(path)?])?;
        Ok(Self(path))
    }
}

impl Drop for Subvolume<'_> {
    fn drop(&mut self) {
        if let Some(path) = self.0.to_str() {
            let _ = command::output("btrfs", &["-q", "subvolume", "delete", path]);
        }
    }
}

/// Files of different subvolumes are not taken for each other, although their
/// inode numbers are the same.
pub fn subvolumes(context: &Context) -> TestResult {
    if context.filesystem()? != Filesystem::Btrfs {
        return skip("only btrfs has subvolumes");
    }
    let (device, _) = setup(context, "ls-subvolumes")?;
    let paths = ["ls-subvolume-1", "ls-subvolume-2"].map(|name| context.path(name));
    let [first, second] = [&paths[0], &paths[1]].map(|path| Subvolume::create(path));
    let (first, second) = (first?, second?);
    let one = Mapped::create(&first.0.join("f"), PAGES, Fill::Faulted)?;
    let two = Mapped::create(&second.0.join("f"), PAGES, Fill::Faulted)?;
    ensure!(
        one.file().metadata()?.ino() == two.file().metadata()?.ino(),
        "the inode numbers differ: the test shows nothing"
    );
    let lease = device.lease(&one).acquire()?;
    let id = lease.query()?.id;
    let found = |path| -> Result<Vec<u64>> { ids(&json(context, &["ls", "--json", text(path)?])?) };
    let (of_one, of_two) = (found(one.path())?, found(two.path())?);
    ensure!(of_one == [id], "leased, but not found: {of_one:?}");
    ensure!(of_two.is_empty(), "not leased, but found: {of_two:?}");
    Ok(())
}

/// What is no file is no empty list.
pub fn errors(context: &Context) -> TestResult {
    let (_device, _mapped) = setup(context, "ls-errors")?;
    fails(
        context,
        &["ls", "/no/such/file"],
        "/no/such/file: No such file",
    )?;
    fails(context, &["ls", text(&context.dir)?], "not a regular file")?;
    fails(context, &["ls", DEVICE_PATH], "not a regular file")
}
