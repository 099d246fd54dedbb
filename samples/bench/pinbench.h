/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * pinbench: what pinlease is compared with, for tools/bench.
 *
 * /dev/pinbench pins user memory as drivers do without pinlease, and times loops in the kernel
 * that are too short to be timed from outside.  Each open has at most one pin of its own, which
 * closing unpins.  For those only who may pin without limit: needs CAP_IPC_LOCK.
 *
 * Errors common to all: EFAULT, ENOTTY, EPERM, ENOMEM, EINVAL (not whole pages, no pages, too
 * many, or an unknown flag).
 */
#ifndef _SAMPLES_PINBENCH_H
#define _SAMPLES_PINBENCH_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct pinbench_pin - PINBENCH_IOC_PIN
 * @addr:   page-aligned user address
 * @length: bytes, a multiple of the page size, at most PINBENCH_MOST_BYTES
 * @flags:  PINBENCH_LONGTERM or 0
 *
 * pin_user_pages_fast(FOLL_WRITE).  EBUSY: there is a pin already; else what that says.
 */
struct pinbench_pin {
	__u64 addr;
	__u64 length;
	__u64 flags;
};

/**
 * struct pinbench_unpin - PINBENCH_IOC_UNPIN
 * @flags: PINBENCH_DIRTY or 0
 *
 * unpin_user_pages(), or unpin_user_pages_dirty_lock().  ENOENT: there is no pin.
 */
struct pinbench_unpin {
	__u64 flags;
};

/* FOLL_LONGTERM, too: what stock kernels refuse for file mappings. */
#define PINBENCH_LONGTERM	(1ULL << 0)
/* Make pages dirty when they are unpinned, as many drivers do. */
#define PINBENCH_DIRTY		(1ULL << 1)

/**
 * struct pinbench_gup - PINBENCH_IOC_GUP
 * @addr:       as for struct pinbench_pin
 * @length:     as for struct pinbench_pin
 * @flags:      PINBENCH_LONGTERM, PINBENCH_DIRTY
 * @repeat:     how often, at least once and at most PINBENCH_MOST_REPEATS
 * @elapsed_ns: returned: what all of it took
 *
 * Pins and unpins again and again, and allocates nothing meanwhile.  EINTR: a signal came.
 */
struct pinbench_gup {
	__u64 addr;
	__u64 length;
	__u64 flags;
	__u64 repeat;
	__u64 elapsed_ns;
};

/**
 * struct pinbench_copy - PINBENCH_IOC_COPY
 * @pages:      how many are copied, at most PINBENCH_MOST_COPIED
 * @way:        PINBENCH_COPY_*
 * @repeat:     as for struct pinbench_gup
 * @elapsed_ns: returned: what all of it took
 *
 * Copies pages of the kernel's own.  EINTR: a signal came.
 */
struct pinbench_copy {
	__u64 pages;
	__u64 way;
	__u64 repeat;
	__u64 elapsed_ns;
};

/* One memcpy() of all, between ranges of addresses without gaps. */
#define PINBENCH_COPY_MEMORY	0
/* Page by page, between pages that were allocated one by one: as snapshots are copied. */
#define PINBENCH_COPY_PAGES	1
/* The same, and the pages are allocated before and freed after each repetition. */
#define PINBENCH_COPY_ALLOCATED	2

#define PINBENCH_MOST_BYTES	(1ULL << 30)
#define PINBENCH_MOST_REPEATS	(1ULL << 24)
#define PINBENCH_MOST_COPIED	(1ULL << 14)

#define PINBENCH_IOC_TYPE	0xBD

#define PINBENCH_IOC_PIN	_IOW(PINBENCH_IOC_TYPE, 0x60, struct pinbench_pin)
#define PINBENCH_IOC_UNPIN	_IOW(PINBENCH_IOC_TYPE, 0x61, struct pinbench_unpin)
#define PINBENCH_IOC_GUP	_IOWR(PINBENCH_IOC_TYPE, 0x62, struct pinbench_gup)
#define PINBENCH_IOC_COPY	_IOWR(PINBENCH_IOC_TYPE, 0x63, struct pinbench_copy)

#endif /* _SAMPLES_PINBENCH_H */
