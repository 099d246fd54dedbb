/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * pinlease: leases on byte ranges of files whose mapped memory a device writes.
 *
 * Everything starts at /dev/pinlease: PINLEASE_IOC_ACQUIRE returns a lease, a
 * file descriptor of its own, and all other commands are made on that.
 * Closing the last copy of it unpins everything and ends the lease.
 *
 * Every structure begins with its size, as in clone3(2) and openat2(2), and
 * that is what counts, not the size in the command's number: a caller built against a newer header works as long as the fields that
 * the module does not know are zero (otherwise E2BIG), and fields that an
 * older caller does not have read as zero.
 *
 * Errors common to all commands:
 *   EFAULT  the argument cannot be read or written
 *   EINVAL  size is smaller than the first version of the structure, a
 *           reserved field is not zero, or an unknown flag is set
 *   E2BIG   size is larger than the module's structure and the rest is not zero,
 *           or larger than 4096
 *   ENOTTY  unknown command
 */
#ifndef _UAPI_LINUX_PINLEASE_H
#define _UAPI_LINUX_PINLEASE_H

#include <linux/ioctl.h>
#include <linux/types.h>

/*
 * What happens when a conflicting operation meets the lease: one that detaches,
 * moves or shares pages of its range, or of a folio in which a page is pinned
 * (folios can be larger than the range).
 */
#define PINLEASE_POLICY_KILL	0	/* the holder is killed */
#define PINLEASE_POLICY_REVOKE	1	/* its pins are taken away */
#define PINLEASE_POLICY_BLOCK	2	/* the breaker waits */
#define PINLEASE_POLICY_REFUSE	3	/* the breaker gets ETXTBSY at once */

/**
 * struct pinlease_acquire - PINLEASE_IOC_ACQUIRE, on /dev/pinlease
 * @size:     sizeof(struct pinlease_acquire)
 * @flags:    PINLEASE_ACQUIRE_*
 * @fd:       the file, a regular file open for reading and writing
 * @policy:   PINLEASE_POLICY_*
 * @offset:   first byte of the range, a multiple of the page size
 * @length:   bytes; rounded up to whole pages; 0: up to the end of the file
 *            as it is now
 * @grace_ms: milliseconds that a breaker waits for the holder before the
 *            policy acts; 0: fs.lease-break-time
 * @reserved: 0
 *
 * Returns the lease, a file descriptor.  Errors:
 *   EBADF      @fd is not an open file, or not open for reading and writing
 *   EINVAL     @offset is not page-aligned, the range is empty or overflows,
 *              or the file is not a regular one
 *   ENXIO      the range reaches beyond the end of the file
 *   EACCES     the caller neither owns the inode nor has CAP_LEASE
 *   EOPNOTSUPP no lease can be kept on this filesystem, in this mode of it
 *              or with this policy (a pr_debug line says which)
 *   EBUSY      another kernel user holds a function that must be hooked
 *              (a livepatch, a BPF fexit program), see the kernel log
 *   EAGAIN     a lease of the file is being broken
 *   EDQUOT     the user has as many leases as the administrator allows
 *   ENOMEM, EMFILE, ENFILE
 */
struct pinlease_acquire {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 policy;
	__u64 offset;
	__u64 length;
	__u32 grace_ms;
	__u32 reserved;
};

#define PINLEASE_ACQUIRE_CLOEXEC	(1U << 0)

/**
 * struct pinlease_pin - PINLEASE_IOC_PIN, on a lease
 * @size:   sizeof(struct pinlease_pin)
 * @flags:  PINLEASE_PIN_*
 * @addr:   page-aligned user address, in one shared writable mapping of the
 *          leased file
 * @length: bytes, a multiple of the page size
 * @offset: out: file offset of @addr
 * @id:     out: names the pin in PINLEASE_IOC_UNPIN and for kernel drivers
 *
 * Errors:
 *   EINVAL  @addr or @length is not page-aligned, or @length is 0
 *   EFAULT  [@addr, @addr + @length) is not one shared writable mapping
 *   ENXIO   the mapping is of another file, or reaches outside of the lease
 *   ENOMEM  RLIMIT_MEMLOCK would be exceeded, or no memory
 *   EDQUOT  the lease has as many pins as it may have
 *   ENOSPC, EIO  the filesystem could not make a page writable (a page fault
 *           does not tell an exceeded quota from other errors: EIO)
 *   EINTR   a fatal signal arrived
 */
struct pinlease_pin {
	__u32 size;
	__u32 flags;
	__u64 addr;
	__u64 length;
	__u64 offset;
	__u64 id;
};

/*
 * The holder says by PINLEASE_IOC_MARK what the device wrote: fsync and the
 * periodic tick then skip this pin, and only marked bytes are written back.
 */
#define PINLEASE_PIN_MARKED	(1U << 0)

/**
 * struct pinlease_unpin - PINLEASE_IOC_UNPIN, on a lease
 * @size:     sizeof(struct pinlease_unpin)
 * @reserved: 0
 * @id:       from PINLEASE_IOC_PIN
 *
 * What the device wrote before the call reaches the file like any other
 * dirty page; under PINLEASE_PIN_MARKED, what was marked.  Errors:
 *   ENOENT  no such pin
 *   EBUSY   a driver is using the pin, or the filesystem is frozen; the pin
 *           stays
 *   ENOMEM  no memory; the pin stays
 *   ENOSPC, EIO  the pages are unpinned, but could not be made dirty;
 *           fsync(2) reports it too
 */
struct pinlease_unpin {
	__u32 size;
	__u32 reserved;
	__u64 id;
};

/**
 * struct pinlease_mark - PINLEASE_IOC_MARK, on a lease
 * @size:     sizeof(struct pinlease_mark)
 * @reserved: 0
 * @offset:   first byte in the file
 * @length:   bytes
 *
 * Says that the device wrote these bytes since the last mark: their pages are
 * dirty when the call returns.  Errors:
 *   EINVAL  the range is empty or overflows
 *   ENXIO   the range reaches outside of the lease
 *   EBUSY   the filesystem is frozen
 *   ENOSPC, EIO  the filesystem refuses the write
 */
struct pinlease_mark {
	__u32 size;
	__u32 reserved;
	__u64 offset;
	__u64 length;
};

/**
 * struct pinlease_query - PINLEASE_IOC_QUERY, on a lease
 * @size:         sizeof(struct pinlease_query)
 * @policy:       PINLEASE_POLICY_*
 * @state:        PINLEASE_STATE_*
 * @grace_ms:     milliseconds
 * @offset:       first byte of the range
 * @length:       bytes of the range
 * @pins:         pins held
 * @pinned_bytes: bytes in them
 * @snapshots:    pages of this file written from a snapshot since its first lease
 * @rearmed:      folios of this file re-armed since its first lease
 * @errors:       re-arms and snapshots of this file that failed
 *
 * All fields are set by the kernel; @size becomes that of its structure.
 */
struct pinlease_query {
	__u32 size;
	__u32 policy;
	__u32 state;
	__u32 grace_ms;
	__u64 offset;
	__u64 length;
	__u64 pins;
	__u64 pinned_bytes;
	__u64 snapshots;
	__u64 rearmed;
	__u64 errors;
};

#define PINLEASE_STATE_HELD	0

#define PINLEASE_IOC_TYPE	0xBD

#define PINLEASE_IOC_ACQUIRE	_IOW(PINLEASE_IOC_TYPE, 0, struct pinlease_acquire)
#define PINLEASE_IOC_PIN	_IOWR(PINLEASE_IOC_TYPE, 1, struct pinlease_pin)
#define PINLEASE_IOC_UNPIN	_IOW(PINLEASE_IOC_TYPE, 2, struct pinlease_unpin)
#define PINLEASE_IOC_MARK	_IOW(PINLEASE_IOC_TYPE, 3, struct pinlease_mark)
#define PINLEASE_IOC_QUERY	_IOWR(PINLEASE_IOC_TYPE, 4, struct pinlease_query)

#endif /* _UAPI_LINUX_PINLEASE_H */
