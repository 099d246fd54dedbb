// SPDX-License-Identifier: GPL-2.0
//! What a test is given.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::skip;
use crate::support::Filesystem;

/// How the memory is pinned.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// As drivers do today, without a lease: the control, which must show the
    /// fault.
    Stock,
    /// Under a lease: the fault must be gone.
    #[default]
    Pinlease,
    /// As drivers do today, under a lease with a grant: the fault must be gone
    /// also when pinlease knows nothing of the pin.
    Grant,
}

impl Side {
    /// Those that anybody can tell apart, the control first.
    pub const BOTH: [Self; 2] = [Self::Stock, Self::Pinlease];

    /// As the command line knows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stock => "stock",
            Self::Pinlease => "pinlease",
            Self::Grant => "grant",
        }
    }
}

/// The options of a test run.
#[derive(Args, Clone, Debug)]
pub struct Context {
    /// Folder on the filesystem to test.
    #[arg(long, default_value = ".")]
    pub dir: PathBuf,
    /// Disk that tests may write over.
    #[arg(long)]
    pub device: Option<PathBuf>,
    /// NVMe disk that tests may write over.
    #[arg(long, default_value = "/dev/disk/pinlease/nvme0")]
    pub nvme: PathBuf,
    /// How this test is to pin; set by the runner.
    #[arg(skip)]
    pub side: Side,
    /// Folder of pinlease.ko and dmasim.ko.
    #[arg(long, default_value = "/pinlease")]
    pub modules: PathBuf,
    /// The command pinlease.
    #[arg(long, default_value = "/pinlease/pinlease")]
    pub command: PathBuf,
    /// Folder of the examples in Rust.
    #[arg(long, default_value = "/pinlease/examples")]
    pub examples: PathBuf,
    /// Folder of the samples in C.
    #[arg(long, default_value = "/pinlease/samples")]
    pub samples: PathBuf,
    /// The fuzzer; its corpus is beside it.
    #[arg(long, default_value = "/pinlease/pinlease-fuzz")]
    pub fuzzer: PathBuf,
    /// Pages that a device writes.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(2..=65536))]
    pub pages: u64,
    /// Rounds of the tests that repeat an fsync.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    pub rounds: u64,
    /// Rounds of the test that loads and unloads the module.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub cycles: u64,
    /// Frames of video that are captured.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(8..))]
    pub frames: u64,
    /// Revokes of dma-bufs in the middle of transfers.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub revokes: u64,
    /// Minutes of the long tests: of the soak, and that a lease is idle; 0:
    /// seconds.
    #[arg(long, default_value_t = 0)]
    pub minutes: u64,
    /// Seconds of hostile calls.
    #[arg(long, default_value_t = 15)]
    pub hostile_seconds: u64,
    /// Random histories of holders and breakers; 0: none.
    #[arg(long, default_value_t = 20)]
    pub histories: u64,
    /// Holders that are killed at a random moment.
    #[arg(long, default_value_t = 20)]
    pub kills: u64,
    /// Seed of what is random; by default another one each time.
    #[arg(long)]
    pub seed: Option<u64>,
}

impl Context {
    /// The seed of what is random; tests print it.
    pub fn seed(&self) -> u64 {
        self.seed.unwrap_or_else(|| fastrand::u64(..1 << 32))
    }

    /// The filesystem of [`Context::dir`].
    ///
    /// # Errors
    ///
    /// The folder is missing, or on a filesystem that the tests do not know.
    pub fn filesystem(&self) -> Result<Filesystem> {
        Filesystem::of(&self.dir)
    }

    /// The disk that may be written over; skips the test when there is none.
    ///
    /// # Errors
    ///
    /// [`Skip`](super::Skip).
    pub fn device(&self) -> Result<&PathBuf> {
        match &self.device {
            Some(device) => Ok(device),
            None => skip("needs a disk to write over (--device)"),
        }
    }

    /// A path for a test's file.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Makes sure that modules for this side are loaded.
    ///
    /// # Errors
    ///
    /// A module cannot be loaded.
    pub fn load_modules(&self) -> Result<()> {
        crate::support::modules::ensure(&self.modules, self.side).context("loading modules")
    }
}
