// SPDX-License-Identifier: GPL-2.0
//! `make check-debian`.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::{bail, ensure, Context, Result};
use clap::Parser;
use debian::{image::Image, machine, outcome};
use pinlease_vm::accel;

/// Installs the Debian packages in a Debian that boots, looks, and removes them. To be run in the
/// environment: scripts/enter out/programs/check-debian.
#[derive(Parser)]
#[command(name = "check-debian", version)]
struct Options {
    /// Where the programs are.
    #[arg(long, default_value = "out/programs")]
    programs: PathBuf,
    /// Where the packages are, and where the guest's console and apt's output go.
    #[arg(long, default_value = "out")]
    out: PathBuf,
    /// An archive of /var/lib/pinlease for the guest to begin with: the Rust metadata of its
    /// kernel is not built then. For those who work on this check.
    #[arg(long, value_name = "TAR")]
    metadata: Option<PathBuf>,
    /// How long the guest may take.
    #[arg(long, value_name = "TIME", default_value = "3h", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let cache = env::var_os("PINLEASE_CACHE").context("run it by scripts/enter")?;
    let image = Image::get(Path::new(&cache))?;
    let work = options.out.canonicalize()?.join("debian");
    let _ = fs::remove_dir_all(&work);
    let share = work.join("share");
    fs::create_dir_all(&share)?;
    fill(&options, &share)?;
    let disk = work.join("disk");
    copy_disk(&image.disk, &disk)?;
    let guest = options.programs.join("pinlease-vm-guest");
    let accelerator = accel::choose(&Path::new(&cache).join("vm"), &work, &guest)?;
    let ended = machine::run(
        &image,
        accelerator,
        &disk,
        &share,
        &work.join("console"),
        options.timeout,
    );
    fs::remove_file(disk)?;
    let outcomes = outcome::read(&share);
    for outcome in outcomes.iter().flatten() {
        let verdict = if outcome.passed { "passed" } else { "FAILED" };
        println!(
            "{verdict} {} ({} s): {}",
            outcome.name, outcome.seconds, outcome.text
        );
    }
    ended?;
    Ok(if outcome::all_passed(&outcomes?) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The packages and the guest's program.
fn fill(options: &Options, share: &Path) -> Result<()> {
    let mut packages = 0;
    for entry in fs::read_dir(&options.out)? {
        let path = entry?.path();
        if let (Some("deb"), Some(name)) =
            (path.extension().and_then(|e| e.to_str()), path.file_name())
        {
            fs::copy(&path, share.join(name))?;
            packages += 1;
        }
    }
    ensure!(
        packages > 0,
        "no packages in {}; run 'make deb'",
        options.out.display()
    );
    let guest = options.programs.join("check-debian-guest");
    fs::copy(&guest, share.join("check-debian-guest"))
        .with_context(|| guest.display().to_string())?;
    if let Some(metadata) = &options.metadata {
        fs::copy(metadata, share.join("metadata.tar"))
            .with_context(|| metadata.display().to_string())?;
    }
    Ok(())
}

/// Its holes stay holes.
fn copy_disk(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp")
        .arg("--sparse=always")
        .args([from, to])
        .status()?;
    if !status.success() {
        bail!("cp: {status}");
    }
    Ok(File::open(to)?.sync_data()?)
}
