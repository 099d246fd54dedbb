// SPDX-License-Identifier: GPL-2.0

//! The abstraction layer: safe types over the C structures that the kernel crate does not cover.
//!
//! Together with what borders on C elsewhere, it is the only place with `unsafe`: [`crate::gup`]
//! (pins), [`crate::snapshot`] (vectors of bios), the hook engine, [`crate::attach`] (the C ABI),
//! [`crate::trace`] (tracepoints), [`crate::uapi`] (bytes from user space), and where a lock in a
//! static is initialized. The hooks themselves, leases, re-arming, conflicts and policy have none.

pub(crate) mod anon_file;
pub(crate) mod bio;
pub(crate) mod btf;
pub(crate) mod btrfs_inode;
pub(crate) mod clock;
pub(crate) mod cred;
pub(crate) mod dma_buf;
pub(crate) mod dma_table;
pub(crate) mod fasync;
pub(crate) mod file;
pub(crate) mod file_lease;
pub(crate) mod fingerprint;
pub(crate) mod folio;
pub(crate) mod folio_slot;
pub(crate) mod freeze;
pub(crate) mod inode;
pub(crate) mod interval_map;
pub(crate) mod irq_lock;
pub(crate) mod kiocb;
pub(crate) mod log;
pub(crate) mod mapping;
pub(crate) mod memlock;
pub(crate) mod mempool;
pub(crate) mod mm;
pub(crate) mod module;
pub(crate) mod operation_section;
pub(crate) mod process;
pub(crate) mod scratch;
pub(crate) mod super_block;
pub(crate) mod symbol;
pub(crate) mod sysctl;
pub(crate) mod task;
pub(crate) mod vma;
pub(crate) mod wait_queue;
pub(crate) mod work;
pub(crate) mod work_queue;
pub(crate) mod xfs_inode;
