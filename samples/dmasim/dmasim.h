/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * dmasim: a DMA engine made of software, for tests and demonstrations.
 *
 * Every open of /dev/dmasim is one engine.  It is given memory once, by
 * DMASIM_IOC_ATTACH (a pin of pinlease), DMASIM_IOC_IMPORT (a dma-buf of
 * anybody) or DMASIM_IOC_PIN_RAW (plain pin_user_pages_fast(FOLL_WRITE), as a
 * driver without pinlease does), and writes it through the kernel's own
 * mapping, unseen by page tables.
 * Closing the file stops the engine and lets go of the memory.
 *
 * What it writes: page P of the memory, counted from 0, is filled in
 * generation G with the 64-bit word (G << 32 | P), native byte order, from
 * its first word to its last.
 *
 * Errors common to all: EFAULT, ENOTTY, EINVAL (a reserved field is not zero),
 * ENXIO (no memory attached), ENODEV (the memory was revoked).
 */
#ifndef _SAMPLES_DMASIM_H
#define _SAMPLES_DMASIM_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct dmasim_attach - DMASIM_IOC_ATTACH
 * @lease_fd: a pinlease lease
 * @reserved: 0
 * @pin_id:   from PINLEASE_IOC_PIN
 *
 * EBUSY: the engine has memory already; else as pinlease_attach().
 */
struct dmasim_attach {
	__s32 lease_fd;
	__u32 reserved;
	__u64 pin_id;
};

/**
 * struct dmasim_pin_raw - DMASIM_IOC_PIN_RAW
 * @addr:   page-aligned user address
 * @length: bytes, a multiple of the page size
 * @flags:  DMASIM_PIN_RAW_*
 */
struct dmasim_pin_raw {
	__u64 addr;
	__u64 length;
	__u64 flags;
};

/* Ask for FOLL_LONGTERM too: what stock kernels refuse for file mappings. */
#define DMASIM_PIN_RAW_LONGTERM	(1ULL << 0)
/* Make the pages dirty when they are unpinned, as many drivers do. */
#define DMASIM_PIN_RAW_DIRTY	(1ULL << 1)

/**
 * struct dmasim_import - DMASIM_IOC_IMPORT
 * @fd:    a dma-buf in memory
 * @flags: DMASIM_IMPORT_*
 *
 * When the exporter invalidates its mappings, the engine stops at once and
 * unmaps.  EBUSY: the engine has memory already; EIO: the dma-buf is not in
 * memory; else as dma_buf_get(), dma_buf_dynamic_attach() and
 * dma_buf_map_attachment().
 */
struct dmasim_import {
	__s32 fd;
	__u32 flags;
};

/* Attach as drivers do that cannot be made to give the memory back. */
#define DMASIM_IMPORT_STATIC	(1U << 0)
/*
 * A running engine has a fence in the dma-buf: when its mapping is invalidated
 * it writes to the end of its pass, signals the fence, and unmaps then.
 */
#define DMASIM_IMPORT_FENCED	(1U << 1)

/**
 * struct dmasim_write - DMASIM_IOC_WRITE: write once, done when it returns
 * @first_page: first page of the memory
 * @pages:      number of pages
 * @generation: at most 0xffffffff
 */
struct dmasim_write {
	__u64 first_page;
	__u64 pages;
	__u64 generation;
};

/**
 * struct dmasim_start - DMASIM_IOC_START: write all pages again and again
 * @generation: of the first pass; each pass adds one
 * @pause_us:   microseconds to sleep between passes; 0: no pause
 *
 * EBUSY: it runs already.
 */
struct dmasim_start {
	__u64 generation;
	__u64 pause_us;
};

/**
 * struct dmasim_status - DMASIM_IOC_STATUS
 * @pages:     of the memory
 * @completed: generation of the last complete pass or write
 * @passes:    complete passes since DMASIM_IOC_START
 * @state:     DMASIM_STATE_*
 * @reserved:  0
 */
struct dmasim_status {
	__u64 pages;
	__u64 completed;
	__u64 passes;
	__u32 state;
	__u32 reserved;
};

#define DMASIM_STATE_EMPTY	0	/* no memory yet */
#define DMASIM_STATE_IDLE	1
#define DMASIM_STATE_RUNNING	2
#define DMASIM_STATE_REVOKED	3	/* the memory was taken away */

#define DMASIM_IOC_TYPE		0xBD

#define DMASIM_IOC_ATTACH	_IOW(DMASIM_IOC_TYPE, 0x40, struct dmasim_attach)
#define DMASIM_IOC_PIN_RAW	_IOW(DMASIM_IOC_TYPE, 0x41, struct dmasim_pin_raw)
#define DMASIM_IOC_WRITE	_IOW(DMASIM_IOC_TYPE, 0x42, struct dmasim_write)
#define DMASIM_IOC_START	_IOW(DMASIM_IOC_TYPE, 0x43, struct dmasim_start)
#define DMASIM_IOC_STOP		_IO(DMASIM_IOC_TYPE, 0x44)
#define DMASIM_IOC_STATUS	_IOR(DMASIM_IOC_TYPE, 0x45, struct dmasim_status)
#define DMASIM_IOC_IMPORT	_IOW(DMASIM_IOC_TYPE, 0x46, struct dmasim_import)

#endif /* _SAMPLES_DMASIM_H */
