// SPDX-License-Identifier: GPL-2.0
//! Writeback of pinned files by as many threads as there are processors, each on its own file,
//! on a disk with as many queues.

use std::{sync::Barrier, thread};

use anyhow::{anyhow, Result};
use pinlease::Device;
use selftests::support::{Fill, Mapped};

use super::{
    disk::{volume, NullDisk},
    session::Session,
    turns::{timed, Pairs},
    writeback::{pinned, write_back},
};
use crate::measured::{Place, Unit};

pub(super) const NAMES: &[&str] = &["scaling_"];

pub(super) fn measure(session: &Session<'_>) -> Result<()> {
    let cpus = thread::available_parallelism()?.get();
    session.load("pinlease")?;
    let disk = NullDisk::new("scaling", 2048, u32::try_from(cpus)?)?;
    let volume = volume(&disk, session.filesystem())?;
    let pages = session.either(2048, 256);
    let files: Vec<_> = (0..cpus)
        .map(|number| {
            let path = volume.dir().join(format!("file{number}"));
            Mapped::create(&path, pages, Fill::Faulted)
        })
        .collect::<Result<_>>()?;
    let device = Device::open()?;
    let pairs = Pairs::in_turn(
        session.rounds(),
        || all(&files),
        || {
            let leases = files.iter().map(|file| pinned(&device, file));
            let leases: Vec<_> = leases.collect::<Result<_>>()?;
            let took = all(&files)?;
            drop(leases);
            Ok(took)
        },
    )?;
    let mut figure = pairs.cost(
        format!("scaling_pinned_{cpus}cpus"),
        "writeback of as many files that are not leased, by a thread each",
        Unit::Ns,
    );
    figure.place = Some(Place {
        plot: "scaling".into(),
        line: "pinned writeback beside that of files that are not leased".into(),
        x: cpus as f64,
    });
    session.tell(figure)
}

/// Nanoseconds until all threads have written their file back, by the pages of one.
fn all(files: &[Mapped]) -> Result<f64> {
    let barrier = Barrier::new(files.len());
    let took = timed(|| {
        thread::scope(|scope| {
            let threads: Vec<_> = files
                .iter()
                .map(|file| {
                    let file = Shared(file);
                    let barrier = &barrier;
                    scope.spawn(move || {
                        let Shared(file) = { file };
                        barrier.wait();
                        (0..4).try_for_each(|_| write_back(file).map(drop))
                    })
                })
                .collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?)
        })
    })?;
    Ok(took / (4 * files[0].pages()) as f64)
}

/// A file for another thread.
struct Shared<'a>(&'a Mapped);

// SAFETY: its memory is only reached through raw pointers, and each thread has its own file.
unsafe impl Send for Shared<'_> {}
