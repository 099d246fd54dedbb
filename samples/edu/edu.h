/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * edu: a driver of QEMU's PCI device "edu" (docs/specs/edu.rst there), for
 * tests and as an example: real bus-master DMA into a pin of pinlease.
 *
 * Every open of /dev/edu has one device for itself, any that nobody has (ENODEV:
 * there is none; EBUSY: all are in use).  It is given memory once, by
 * EDU_IOC_ATTACH (a pin of pinlease) or EDU_IOC_PIN_RAW (plain
 * pin_user_pages_fast(FOLL_WRITE), as a driver without pinlease does), and
 * writes it page by page.  Closing the file stops the device and lets go of the
 * memory.
 *
 * What it writes: page P of the memory, counted from 0, is filled in generation G
 * with the 64-bit word (G << 32 | P), native byte order.  The device has a buffer
 * of one page, which it first fills from memory of the driver, unless it has that
 * page already; and each of its transfers takes QEMU a tenth of a second.
 *
 * Errors common to all: EFAULT, ENOTTY, EINVAL (a reserved field is not zero, a
 * range or a generation too large, a flag is unknown), ENXIO (no memory
 * attached), ENODEV (the memory was revoked, or the device was unplugged or taken
 * from the driver: only closing is left), EIO (the device did not answer, or did
 * not stop when it was told to, and was cut off from memory; what it was writing
 * is not known).
 */
#ifndef _SAMPLES_EDU_H
#define _SAMPLES_EDU_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct edu_attach - EDU_IOC_ATTACH
 * @lease_fd: a pinlease lease
 * @flags:    EDU_ATTACH_*
 * @pin_id:   from PINLEASE_IOC_PIN
 *
 * EBUSY: the device has memory already; EPERM: flags, but the module was loaded
 * without rogue=1; ENOMEM also if the pages cannot be mapped for the device;
 * else as pinlease_attach().
 */
struct edu_attach {
	__s32 lease_fd;
	__u32 flags;
	__u64 pin_id;
};

/*
 * For tests, what a driver must not do.  Revoking unmaps the pages but leaves the
 * device running, with the addresses that it had; it can be started again.
 */
#define EDU_ATTACH_ROGUE	(1U << 0)
/* Revoking does not wait until an IOMMU has forgotten the addresses. */
#define EDU_ATTACH_NO_FLUSH	(1U << 1)
/* With EDU_ATTACH_ROGUE: it does not unmap, either. */
#define EDU_ATTACH_NO_UNMAP	(1U << 2)

/**
 * struct edu_pin_raw - EDU_IOC_PIN_RAW
 * @addr:   page-aligned user address
 * @length: bytes, a multiple of the page size
 *
 * EBUSY: the device has memory already; ENOMEM also if the pages cannot be
 * mapped for the device.
 */
struct edu_pin_raw {
	__u64 addr;
	__u64 length;
};

/**
 * struct edu_start - EDU_IOC_START: write pages, each by a transfer of its own
 * @first_page: first page of the memory
 * @pages:      number of pages, at least 1
 * @generation: of the first pass; at most 0xffffffff
 * @flags:      EDU_START_*
 * @reserved:   0
 *
 * Returns when the first transfer has begun.  EBUSY: it is running.
 */
struct edu_start {
	__u64 first_page;
	__u64 pages;
	__u64 generation;
	__u32 flags;
	__u32 reserved;
};

/* Pass after pass, without a pause, until it is stopped. */
#define EDU_START_REPEAT	(1U << 0)
/* Each pass adds one to the generation. */
#define EDU_START_COUNT		(1U << 1)

/**
 * struct edu_wait - EDU_IOC_WAIT: until the device is idle, or far enough
 * @passes: complete passes since EDU_IOC_START; 0: until it is idle
 *
 * When it returns 0, what the device wrote until then can be read by the CPU in
 * the pages, and an fsync saves it.  EINTR, or restarted: a signal.  EIO also if
 * it is idle before it was so far.
 */
struct edu_wait {
	__u64 passes;
};

/**
 * struct edu_status - EDU_IOC_STATUS
 * @pages:     of the memory
 * @completed: generation of the last complete pass
 * @passes:    complete passes since EDU_IOC_START
 * @transfers: pages written since the file was opened
 * @state:     EDU_STATE_*
 * @device:    PCI bus << 8 | device << 3 | function
 *
 * What it tells was written can be read by the CPU.  Never fails with ENXIO,
 * ENODEV or EIO.
 */
struct edu_status {
	__u64 pages;
	__u64 completed;
	__u64 passes;
	__u64 transfers;
	__u32 state;
	__u32 device;
};

#define EDU_STATE_EMPTY		0	/* no memory yet */
#define EDU_STATE_IDLE		1
#define EDU_STATE_RUNNING	2
#define EDU_STATE_REVOKED	3	/* pinlease took the memory away */
#define EDU_STATE_GONE		4	/* the device, or its driver's hold of it */

#define EDU_IOC_TYPE		0xBE

#define EDU_IOC_ATTACH	_IOW(EDU_IOC_TYPE, 0x40, struct edu_attach)
#define EDU_IOC_PIN_RAW	_IOW(EDU_IOC_TYPE, 0x41, struct edu_pin_raw)
#define EDU_IOC_START	_IOW(EDU_IOC_TYPE, 0x42, struct edu_start)
#define EDU_IOC_WAIT	_IOW(EDU_IOC_TYPE, 0x43, struct edu_wait)
/* Stops after the transfer that is under way. */
#define EDU_IOC_STOP	_IO(EDU_IOC_TYPE, 0x44)
#define EDU_IOC_STATUS	_IOR(EDU_IOC_TYPE, 0x45, struct edu_status)

#endif /* _SAMPLES_EDU_H */
