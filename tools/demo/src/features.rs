// SPDX-License-Identifier: GPL-2.0
//! Which tests say what in Documentation/filesystems.rst.
//!
//! A pattern is the beginning of tests' names, as for `selftests run`; every one
//! must match some test.

/// A row of the table of what holds.
#[derive(Clone, Copy, Debug)]
pub struct Feature {
    /// What a reader wants to know.
    pub title: &'static str,
    /// The tests that tell.
    pub tests: &'static [&'static str],
    /// What the controls among them show on the stock kernel.
    pub stock: &'static str,
}

/// A row of the table of what is refused.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// What is refused.
    pub title: &'static str,
    /// The tests that tell.
    pub tests: &'static [&'static str],
}

const fn feature(title: &'static str, tests: &'static [&'static str]) -> Feature {
    Feature {
        title,
        tests,
        stock: "fault shown",
    }
}

impl Feature {
    const fn stock(mut self, stock: &'static str) -> Self {
        self.stock = stock;
        self
    }
}

/// What holds.
pub const FEATURES: &[Feature] = &[
    feature(
        "durable: fsync and fdatasync, device writing before and during",
        &["s01-after-clean", "fsyncs"],
    )
    .stock("lost"),
    feature(
        "durable: sync, syncfs, msync, O_DSYNC, freeze",
        &[
            "s08-termination.sync",
            "s08-termination.fdatasync",
            "s08-termination.msync",
            "s08-termination.freeze",
            "price.msync",
            "price.o-dsync",
        ],
    ),
    feature(
        "durable: nobody asks, the tick and the flusher",
        &["s04-background", "idle.tick"],
    )
    .stock("lost"),
    feature("durable: dropped caches, reclaim", &["s05-reclaim"]).stock("lost"),
    feature(
        "stable: no checksum error (btrfs' own, or dm-integrity)",
        &["s02-tearing"],
    )
    .stock("torn"),
    feature(
        "stable: dm-crypt, md-raid1 and 5",
        &["stacks.crypt", "stacks.mirror", "stacks.parity"],
    )
    .stock("torn"),
    feature(
        "stable: disk with protection information (T10-PI)",
        &["stacks.protected-disk"],
    )
    .stock("torn"),
    feature(
        "stable: encrypted files (fscrypt)",
        &["uapi.encrypted", "stacks.fscrypt"],
    )
    .stock("torn"),
    feature(
        "stable: compression, inline extents",
        &["stacks.compress", "stacks.inline"],
    )
    .stock("torn"),
    feature(
        "large folios: one page pinned; holes, compaction beside it",
        &["s16-large-folio", "price.large-folios"],
    ),
    feature("pages with many mappings", &["s15-many-mappings"]),
    feature("direct I/O on the leased file", &["s17-direct-io"]),
    feature(
        "copy-on-write: reflinks, snapshots, holes",
        &["s07-copy-on-write"],
    )
    .stock("clone damaged, or lost"),
    feature("no space when pinning", &["uapi.full"]),
    feature(
        "errors: ENOSPC, EDQUOT, EIO, shutdown, device gone",
        &["s06-errors", "unchanged.failed-write"],
    )
    .stock("silent"),
    feature(
        "ends: sync, freeze and thaw, umount, remount-ro, rmmod",
        &["s08-termination", "uapi.frozen"],
    ),
    feature(
        "writeback without free memory",
        &["reserve", "s14-pressure"],
    ),
    feature(
        "price: what the device did not write is not written",
        &["price", "idle"],
    ),
    feature(
        "price: nothing that changed is taken for unchanged",
        &["unchanged"],
    )
    .stock("lost"),
    feature(
        "price: other writers are not throttled",
        &["s09-throttling"],
    ),
    feature(
        "arbitrated: truncate, punch, clone, direct write ...",
        &["refuse", "breaks"],
    ),
    feature(
        "pins of io_uring, RDMA, VFIO, AF_XDP",
        &["grants", "consumers"],
    )
    .stock("refused"),
    feature("DMA: durable and arbitrated", &["edu"]).stock("lost"),
    feature("DMA: nothing is written after a revoke", &["s18-late-dma"]),
    feature("everything at once, for long", &["soak"]),
    feature(
        "a file without a lease is as on the stock kernel",
        &["s21-no-lease"],
    ),
];

/// What is refused with EOPNOTSUPP, because no promise could be kept.
pub const REFUSALS: &[Refusal] = &[Refusal {
    title: "journaled data (``data=journal``, ``chattr +j``)",
    tests: &["uapi.data-journal"],
}];

/// Other filesystems, all of which are refused; each by a test that does not
/// depend on the filesystem that it is started for.
pub const OTHERS: &[Refusal] = &[
    Refusal {
        title: "ext2, ext3",
        tests: &["uapi.refused-ext2", "uapi.refused-ext3"],
    },
    Refusal {
        title: "f2fs",
        tests: &["uapi.refused-f2fs"],
    },
    Refusal {
        title: "FAT, exFAT",
        tests: &["uapi.refused-vfat", "uapi.refused-exfat"],
    },
    Refusal {
        title: "tmpfs",
        tests: &["uapi.refused-tmpfs"],
    },
    Refusal {
        title: "overlayfs (the file below can be leased, by its own path)",
        tests: &["uapi.refused-overlayfs"],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str) -> bool {
        selftests::suites::all().any(|test| test.matches(pattern))
    }

    #[test]
    fn every_pattern_matches_a_test() {
        let features = FEATURES.iter().flat_map(|feature| feature.tests);
        let refusals = REFUSALS.iter().chain(OTHERS).flat_map(|row| row.tests);
        for pattern in features.chain(refusals) {
            assert!(matches(pattern), "no test is called {pattern}");
        }
    }
}
