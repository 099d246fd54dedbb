// SPDX-License-Identifier: GPL-2.0
//! A worker's part of the guest: two processes and three files.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::Write,
    os::{
        fd::{AsRawFd, IntoRawFd, RawFd},
        unix::fs::{chown, MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure, Context, Result};
use pinlease::{Device, Lease, Policy};
use selftests::support::Filesystem;

use crate::{
    call::{Call, Outcome},
    executor::{self, list, Executor},
    model::{self, Descriptors, Model, Setting},
    operation::{Actor, FILES, PAGE, PAGES, SLOTS, SLOT_PAGES},
    partner::Partner,
};

/// Bytes that a partner may pin, in pages.
const MEMLOCK: u64 = 48;

/// How long what was closed may take to end.
const ENDING: Duration = Duration::from_secs(60);

/// The files of a worker, with leases on their first pages that stay, so that hooks do.
#[derive(Debug)]
pub struct Files {
    paths: [PathBuf; FILES],
    keepers: Vec<Lease>,
}

impl Files {
    /// Makes them in `folder`; who works on them is `worker`.
    ///
    /// # Errors
    ///
    /// They cannot be made, or not leased.
    pub fn make(folder: &Path, worker: usize) -> Result<Self> {
        let device = Device::open()?;
        let paths = std::array::from_fn(|file| folder.join(format!("fuzz-{worker}-{file}")));
        let mut keepers = Vec::new();
        for (number, path) in paths.iter().enumerate() {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .open(path);
            let file = file.with_context(|| path.display().to_string())?;
            fill(&file, number == model::LARGE)?;
            // Everybody may write all of them, and so take pages away.
            file.set_permissions(Permissions::from_mode(0o666))?;
            if number != model::FOREIGN {
                chown(path, Some(user_of(worker)), None)?;
            }
            if number != model::BARE {
                keepers.push(
                    device
                        .lease(&file)
                        .range(0, PAGE)
                        .policy(Policy::Refuse)
                        .acquire()?,
                );
            }
        }
        Ok(Self { paths, keepers })
    }

    /// The leases that stay.
    pub fn keepers(&self) -> usize {
        self.keepers.len()
    }
}

/// Gives a file its size, in large folios or without any.
fn fill(mut file: &File, large: bool) -> Result<()> {
    if large {
        file.write_all(&[0; (PAGES * PAGE) as usize])?;
    } else {
        file.set_len(PAGES * PAGE)?;
    }
    Ok(())
}

/// The user that the partner of a worker is.
pub fn user_of(worker: usize) -> u32 {
    10_000 + worker as u32
}

/// Two processes and their files.
#[derive(Debug)]
pub struct World {
    setting: Setting,
    inodes: [u64; FILES],
    large: File,
    executor: Executor,
    partner: Partner,
    /// The greatest id of the leases that stay.
    last_keeper: u64,
}

impl World {
    /// Opens everything and starts the partner. In the worker's process.
    ///
    /// # Errors
    ///
    /// Something cannot be opened.
    pub fn new(files: &Files, worker: usize, last_keeper: u64) -> Result<Self> {
        let device = open(Path::new(pinlease::DEVICE_PATH), libc::O_RDWR)?;
        let (pipe, _) = nix::unistd::pipe()?;
        let mut descriptors = [Descriptors::default(); FILES];
        for (path, descriptors) in files.paths.iter().zip(&mut descriptors) {
            *descriptors = Descriptors {
                both: open(path, libc::O_RDWR)?,
                nonblocking: open(path, libc::O_RDWR | libc::O_NONBLOCK)?,
                read: open(path, libc::O_RDONLY)?,
                write: open(path, libc::O_WRONLY)?,
                direct: open(path, libc::O_RDWR | libc::O_DIRECT)?,
                direct_nonblocking: open(path, libc::O_RDWR | libc::O_DIRECT | libc::O_NONBLOCK)?,
            };
        }
        let filesystem = Filesystem::of(&files.paths[0])?;
        let arena = reserve_arena()?;
        for (file, descriptors) in descriptors.iter().enumerate() {
            let address = arena + file as u64 * SLOT_PAGES * PAGE;
            executor::map_shared(address, PAGES * PAGE, descriptors.both)?;
        }
        let mut executor = Executor::new(device, &files.paths)?;
        let partner = Partner::start(&mut executor, user_of(worker), MEMLOCK * PAGE)?;
        let mut inodes = [0; FILES];
        for (path, inode) in files.paths.iter().zip(&mut inodes) {
            *inode = fs::metadata(path)?.ino();
        }
        Ok(Self {
            setting: Setting {
                filesystem,
                descriptors,
                arena,
                device,
                pipe: pipe.into_raw_fd(),
                memlock: MEMLOCK,
            },
            inodes,
            large: OpenOptions::new()
                .write(true)
                .open(&files.paths[model::LARGE])?,
            executor,
            partner,
            last_keeper,
        })
    }

    /// The model of it, when nothing is leased.
    pub fn model(&self) -> Model {
        Model::new(self.setting.clone())
    }

    /// The partner's process.
    pub fn partner(&self) -> i32 {
        self.partner.process().as_raw()
    }

    /// Lets an actor do a call.
    ///
    /// # Errors
    ///
    /// The partner is gone.
    pub fn execute(&mut self, actor: Actor, call: &Call) -> Result<Outcome> {
        match (actor, call) {
            (Actor::Worker, Call::Send { fd }) => self.partner.send(*fd),
            (Actor::Partner, Call::Send { fd }) => self.partner.take(*fd),
            (Actor::Worker, call) => Ok(self.executor.execute(call)),
            (Actor::Partner, call) => self.partner.execute(call),
        }
    }

    /// Ends what a sequence left, and makes the files as they were.
    ///
    /// # Errors
    ///
    /// Something fails that cannot, or a lease or pin is left.
    pub fn clean(&mut self, model: &Model) -> Result<()> {
        for actor in [Actor::Worker, Actor::Partner] {
            let (fds, mappings) = model.leftovers(actor);
            if fds.is_empty() && mappings.is_empty() {
                continue;
            }
            let outcome = self.execute(actor, &Call::Clean { fds, mappings })?;
            ensure!(outcome.succeeded(), "cleaning up: {}", outcome.name());
        }
        self.nothing_left()?;
        for file in model.resized() {
            let fd = self.setting.descriptors[file].both;
            let size = PAGES * PAGE;
            let outcome = self.executor.execute(&Call::Truncate { fd, size });
            ensure!(
                outcome.succeeded(),
                "restoring the size: {}",
                outcome.name()
            );
            if file == model::LARGE {
                nix::unistd::lseek(&self.large, 0, nix::unistd::Whence::SeekSet)?;
                fill(&self.large, true)?;
            }
        }
        Ok(())
    }

    /// Errors: a lease on one of the files is left.
    fn nothing_left(&self) -> Result<()> {
        let begin = Instant::now();
        loop {
            let mut left = None;
            list(self.setting.device, self.last_keeper, |lease| {
                if self.inodes.contains(&lease.inode) {
                    left = Some(*lease);
                }
            })?;
            match left {
                None => return Ok(()),
                Some(lease) if begin.elapsed() > ENDING => bail!("a lease is left: {lease:?}"),
                Some(_) => thread::sleep(Duration::from_millis(2)),
            }
        }
    }
}

/// Opens a file for both processes.
fn open(path: &Path, flags: i32) -> Result<RawFd> {
    let file = OpenOptions::new()
        .read(flags & libc::O_ACCMODE != libc::O_WRONLY)
        .write(flags & libc::O_ACCMODE != libc::O_RDONLY)
        .custom_flags(flags & !libc::O_ACCMODE)
        .open(path);
    let file = file.with_context(|| path.display().to_string())?;
    ensure!(file.as_raw_fd() > 2, "no standard streams");
    Ok(file.into_raw_fd())
}

/// Places for mappings, the same in both processes.
fn reserve_arena() -> Result<u64> {
    let length = SLOTS as u64 * SLOT_PAGES * PAGE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping at an address of the kernel's choice.
    let arena = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            length as usize,
            libc::PROT_NONE,
            flags,
            -1,
            0,
        )
    };
    ensure!(arena != libc::MAP_FAILED, "no room for mappings");
    Ok(arena as u64)
}
