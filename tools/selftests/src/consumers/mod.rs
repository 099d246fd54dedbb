// SPDX-License-Identifier: GPL-2.0
//! Programs that have memory pinned for a device or a peer to write, and know
//! nothing of leases: on the stock kernel they do not get a file's memory.

mod disk;
mod equipment;
mod launch;
mod measure;
mod packet;
mod rdma;
mod running;
mod vfio;
mod xdp;

pub use equipment::{Equipment, Layout};
pub use launch::Launch;
pub(crate) use measure::measure_with;
pub use measure::{measure, Measured};
pub use running::{Refusal, Running};

use anyhow::Result;

use crate::harness::Context;

/// A program, and a device or peer that writes its memory.
#[derive(Clone, Copy, Debug)]
pub struct Consumer {
    /// Its name in results.
    pub name: &'static str,
    /// What happens, for people.
    pub title: &'static str,
    /// What it says when it does not get a file's memory, as on the stock
    /// kernel; `None`: it pins for each read alone, and gets it everywhere.
    pub refusal: Option<&'static str>,
    /// Prepares it.
    pub prepare: fn(&Context) -> Result<Box<dyn Equipment>>,
}

/// fio with registered buffers.
pub const IO_URING: Consumer = Consumer {
    name: "io_uring",
    title: "fio, registered buffers",
    refusal: Some("Bad address"),
    prepare: disk::registered,
};

/// fio with registered buffers that reads the very file that is mapped.
pub const SAME_FILE: Consumer = Consumer {
    name: "same_file",
    title: "fio, registered buffers in the file that it reads",
    refusal: Some("Bad address"),
    prepare: disk::same_file,
};

/// A peer writes by RDMA.
pub const RDMA_WRITE: Consumer = Consumer {
    name: "rdma_write",
    title: "ib_write_bw, responder",
    refusal: Some("Couldn't allocate MR"),
    prepare: rdma::write,
};

/// It reads from a peer by RDMA.
pub const RDMA_READ: Consumer = Consumer {
    name: "rdma_read",
    title: "ib_read_bw, requester",
    refusal: Some("Couldn't allocate MR"),
    prepare: rdma::read,
};

/// A peer sends.
pub const RDMA_SEND: Consumer = Consumer {
    name: "rdma_send",
    title: "ib_send_bw, receiver",
    refusal: Some("Couldn't allocate MR"),
    prepare: rdma::send,
};

/// A peer sends frames.
pub const AF_XDP: Consumer = Consumer {
    name: "af_xdp",
    title: "AF_XDP receiver on veth",
    refusal: Some("XDP_UMEM_REG: Bad address"),
    prepare: xdp::prepare,
};

/// A PCI device writes by DMA through an IOMMU.
pub const VFIO: Consumer = Consumer {
    name: "vfio",
    title: "VFIO type 1, PCI device",
    refusal: Some("VFIO_IOMMU_MAP_DMA: Bad address"),
    prepare: vfio::prepare,
};

/// fio with O_DIRECT, from a virtio disk.
pub const DIRECT_VIRTIO: Consumer = Consumer {
    name: "direct_virtio",
    title: "fio, O_DIRECT from virtio-blk",
    refusal: None,
    prepare: disk::direct_virtio,
};

/// fio with O_DIRECT, from an NVMe disk, whose driver maps memory for DMA.
pub const DIRECT_NVME: Consumer = Consumer {
    name: "direct_nvme",
    title: "fio, O_DIRECT from NVMe",
    refusal: None,
    prepare: disk::direct_nvme,
};

/// Those that the demo shows.
pub const ALL: &[Consumer] = &[
    IO_URING,
    RDMA_WRITE,
    RDMA_READ,
    RDMA_SEND,
    AF_XDP,
    VFIO,
    DIRECT_VIRTIO,
    DIRECT_NVME,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ALL;

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = ALL.iter().map(|consumer| consumer.name).collect();
        assert_eq!(names.len(), ALL.len());
    }
}
