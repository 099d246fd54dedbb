// SPDX-License-Identifier: GPL-2.0
//! The one table of breakers.

use pinlease::Operation;

use super::{
    aio, allocate, exchange, open, other, share, size, swap, uring, write, Breaker, OnSignal,
    Reach, WhenRefused, PAGE,
};
use crate::support::Filesystem;

const ALL: &[Filesystem] = &Filesystem::ALL;
const CLONING: &[Filesystem] = &[Filesystem::Xfs, Filesystem::Btrfs];
const SHIFTING: &[Filesystem] = &[Filesystem::Ext4, Filesystem::Xfs];
const EXT4: &[Filesystem] = &[Filesystem::Ext4];
const XFS: &[Filesystem] = &[Filesystem::Xfs];

/// Most are like this.
const USUAL: Breaker = Breaker {
    name: "",
    operation: Operation::Truncate,
    run: |_| Ok(()),
    prepare: None,
    reach: Reach::Range,
    granularity: PAGE,
    on: ALL,
    optional: false,
    in_place: false,
    nonblock: true,
    signal: OnSignal::Restarts,
    refused: WhenRefused::Fails,
    waits: true,
};

const fn breaker(
    name: &'static str,
    operation: Operation,
    run: fn(&super::Target<'_>) -> nix::Result<()>,
) -> Breaker {
    Breaker {
        name,
        operation,
        run,
        ..USUAL
    }
}

/// The breakers.
pub const BREAKERS: &[Breaker] = &[
    Breaker {
        reach: Reach::ToEnd,
        granularity: 1,
        // It has no descriptor.
        nonblock: false,
        ..breaker("truncate", Operation::Truncate, size::truncate)
    },
    Breaker {
        reach: Reach::ToEnd,
        granularity: 1,
        ..breaker("ftruncate", Operation::Truncate, size::ftruncate)
    },
    Breaker {
        reach: Reach::File,
        ..breaker("O_TRUNC", Operation::Truncate, open::truncating)
    },
    Breaker {
        granularity: 1,
        ..breaker("punch", Operation::PunchHole, allocate::punch)
    },
    Breaker {
        granularity: 1,
        ..breaker("zero", Operation::ZeroRange, allocate::zero)
    },
    Breaker {
        reach: Reach::Shifted,
        on: SHIFTING,
        ..breaker("collapse", Operation::CollapseRange, allocate::collapse)
    },
    Breaker {
        reach: Reach::Shifted,
        on: SHIFTING,
        ..breaker("insert", Operation::InsertRange, allocate::insert)
    },
    Breaker {
        granularity: 1,
        on: XFS,
        ..breaker("unshare", Operation::UnshareRange, allocate::unshare)
    },
    Breaker {
        on: SHIFTING,
        optional: true,
        ..breaker(
            "write-zeroes",
            Operation::WriteZeroes,
            allocate::write_zeroes,
        )
    },
    Breaker {
        prepare: Some(other::make),
        on: CLONING,
        ..breaker("reflink into", Operation::Clone, share::reflink_into)
    },
    Breaker {
        prepare: Some(other::make),
        on: CLONING,
        ..breaker("reflink from", Operation::Clone, share::reflink_from)
    },
    Breaker {
        prepare: Some(other::make),
        on: CLONING,
        // It answers for each destination.
        signal: OnSignal::Ends,
        ..breaker("dedupe into", Operation::Dedupe, share::dedupe_into)
    },
    Breaker {
        prepare: Some(other::make),
        on: CLONING,
        // It answers for each destination.
        signal: OnSignal::Ends,
        ..breaker("dedupe from", Operation::Dedupe, share::dedupe_from)
    },
    Breaker {
        prepare: Some(other::make),
        on: CLONING,
        refused: WhenRefused::FallsBack,
        ..breaker("copy into", Operation::Copy, share::copy_into)
    },
    Breaker {
        prepare: Some(other::make),
        on: CLONING,
        refused: WhenRefused::FallsBack,
        ..breaker("copy from", Operation::Copy, share::copy_from)
    },
    Breaker {
        prepare: Some(other::make),
        on: XFS,
        optional: true,
        ..breaker("exchange of", Operation::Exchange, exchange::range_of)
    },
    Breaker {
        prepare: Some(other::make),
        on: XFS,
        optional: true,
        ..breaker("exchange with", Operation::Exchange, exchange::range_with)
    },
    Breaker {
        prepare: Some(other::make),
        reach: Reach::File,
        on: XFS,
        waits: false,
        ..breaker("swapext of", Operation::Exchange, exchange::swap_of)
    },
    Breaker {
        prepare: Some(other::make),
        reach: Reach::File,
        on: XFS,
        waits: false,
        ..breaker("swapext with", Operation::Exchange, exchange::swap_with)
    },
    Breaker {
        prepare: Some(other::make),
        on: EXT4,
        ..breaker("move-extent of", Operation::Exchange, exchange::move_of)
    },
    Breaker {
        prepare: Some(other::make),
        on: EXT4,
        ..breaker("move-extent with", Operation::Exchange, exchange::move_with)
    },
    Breaker {
        granularity: 512,
        ..breaker("O_DIRECT write", Operation::DirectWrite, write::direct)
    },
    Breaker {
        granularity: 512,
        // What io_submit(2) began is not begun again.
        signal: OnSignal::Ends,
        ..breaker("aio write", Operation::DirectWrite, aio::direct)
    },
    Breaker {
        prepare: Some(swap::make),
        reach: Reach::File,
        in_place: true,
        // It opens the file itself.
        nonblock: false,
        ..breaker("swapon", Operation::Swapon, swap::on)
    },
    Breaker {
        granularity: 1,
        signal: OnSignal::Waits,
        ..breaker("io_uring punch", Operation::PunchHole, uring::punch)
    },
    Breaker {
        reach: Reach::ToEnd,
        granularity: 1,
        signal: OnSignal::Waits,
        ..breaker("io_uring ftruncate", Operation::Truncate, uring::ftruncate)
    },
    Breaker {
        reach: Reach::File,
        signal: OnSignal::Waits,
        ..breaker(
            "io_uring O_TRUNC",
            Operation::Truncate,
            uring::open_truncating,
        )
    },
    Breaker {
        granularity: 512,
        signal: OnSignal::Waits,
        ..breaker(
            "io_uring write",
            Operation::DirectWrite,
            uring::direct_write,
        )
    },
];
