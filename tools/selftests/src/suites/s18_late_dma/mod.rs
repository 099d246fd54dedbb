// SPDX-License-Identifier: GPL-2.0
//! Scenario 18: a device writes after its memory was taken away.
//!
//! A driver that does what it is asked to lets nothing come late (`stopped`). One
//! that does not stop its device is harmless behind an IOMMU, which refuses the
//! late access and says so; with no IOMMU it writes over what the pages have become
//! (`rogue`, the control), and so does one that does not even unmap, with an IOMMU
//! (`rogue-mapped`).  A lazy IOMMU goes on for a moment with what was unmapped,
//! unless the driver waits (`lazy`).

mod hog;
mod lazy;
mod rogue;
mod stopped;

use crate::harness::Test;

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("s18-late-dma.stopped", stopped::direct).seconds(1200),
    Test::new("s18-late-dma.stopped-iommu", stopped::behind_iommu).seconds(1200),
    Test::new("s18-late-dma.rogue", rogue::direct),
    Test::new("s18-late-dma.rogue-mapped", rogue::mapped),
    Test::new("s18-late-dma.rogue-freed", rogue::direct_freed),
    Test::new("s18-late-dma.rogue-iommu", rogue::strict),
    Test::new("s18-late-dma.rogue-iommu-freed", rogue::strict_freed),
    Test::new("s18-late-dma.rogue-lazy-freed", rogue::lazy_freed),
    Test::new("s18-late-dma.lazy-window", lazy::window).seconds(300),
];
