/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * pinlease: leases on byte ranges of files whose mapped memory a device writes.
 *
 * Everything starts at /dev/pinlease: PINLEASE_IOC_ACQUIRE returns a lease, a
 * file descriptor of its own, and all other commands are made on that.
 * Closing the last copy of it unpins everything and ends the lease.
 *
 * Every structure begins with its size, as in clone3(2) and openat2(2), and
 * that is what counts, not the size in the command's number: a caller built
 * against a newer header works as long as the fields that the module does not
 * know are zero (otherwise E2BIG), and fields that an older caller does not
 * have read as zero.
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
 * Who yields when a conflicting operation (the breaker) meets the lease: one
 * that detaches, moves or shares pages of its range, or of a folio in which a
 * page is pinned (folios can be larger than the range).
 *
 * The breaker waits while the holder may answer: by closing the lease, by
 * PINLEASE_IOC_SHRINK, or by unpinning what the breaker needs.  When the grace
 * is over, the policy acts.  A breaker with O_NONBLOCK gets EWOULDBLOCK, and the
 * break goes on without it; one that is interrupted gets EINTR, and its break
 * is off.  A holder that breaks its own lease gets EDEADLK (with the policy
 * REFUSE ETXTBSY).  Who cannot wait, because it holds locks (nfsd, overlayfs,
 * loop), gets ETXTBSY at once, and so does who can only read the file; of the
 * latter, and of an RWF_NOWAIT write, which gets EAGAIN, the holder is not told.
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
 *            policy acts; 0: fs.lease-break-time, or the module's parameter
 *            grace_max_ms if that is less or there is none.  No meaning with
 *            BLOCK and REFUSE.
 * @reserved: 0
 *
 * The holder, whom the policy KILL kills, is the calling process; its children
 * and whoever gets a copy of the descriptor are not.
 *
 * With PINLEASE_ACQUIRE_GRANT other parts of the kernel (io_uring's registered
 * buffers, RDMA memory regions, VFIO, AF_XDP ...) may pin the range for a long
 * time, as they may anonymous memory, through any shared mapping of the holder's
 * that lies as a whole in ranges that are leased so by the holder, none of them
 * withdrawn, and in no breaker's way; else they fail as without a lease.  The
 * mapping may be made before or after, and by a program that the holder became
 * by execve(2), but not by a child.  Such a lease answers a break when it is
 * closed or shrunk, not by PINLEASE_IOC_UNPIN, and breakers wait until the
 * others have unpinned, which may take longer than the holder lives.  Nobody
 * can take such pins away: with the policy REVOKE it is EOPNOTSUPP.
 *
 * Without CAP_SYS_RESOURCE the policy BLOCK makes breakers of other users wait
 * for grace_max_ms at most; then they get EBUSY.
 *
 * Returns the lease, a file descriptor.  Errors:
 *   EBADF      @fd is not an open file, or not open for reading and writing
 *   EINVAL     @offset is not page-aligned, the range is empty or overflows,
 *              or the file is not a regular one
 *   ENXIO      the range reaches beyond the end of the file
 *   EACCES     the caller neither owns the inode nor has CAP_LEASE
 *   EOPNOTSUPP no lease can be kept on this filesystem, in this mode of it
 *              or with this policy (a pr_debug line says which); or REVOKE
 *              with PINLEASE_ACQUIRE_GRANT
 *   EBUSY      another kernel user holds a function that must be hooked
 *              (a livepatch, a BPF fexit program), see the kernel log
 *   ESHUTDOWN  the administrator lets no new leases in, see PINLEASE_IOC_QUIESCE
 *   EPERM      @grace_ms is more than grace_max_ms, and the caller lacks
 *              CAP_SYS_RESOURCE
 *   EAGAIN     an operation that conflicts with the range is waiting or under
 *              way; or a lease of the file in the kernel's lease core is being
 *              broken
 *   EINTR      a signal arrived
 *   EDQUOT     the user has as many leases as the administrator allows
 *   ENOMEM     no memory; with PINLEASE_ACQUIRE_GRANT also: RLIMIT_MEMLOCK, to
 *              which eight bytes for each page of the range are charged
 *   EMFILE, ENFILE
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
#define PINLEASE_ACQUIRE_GRANT	(1U << 1)

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
 *   EFAULT  [@addr, @addr + @length) is not one shared writable mapping of
 *           pages that the file has
 *   ENXIO   the mapping is of another file, or reaches outside of the lease
 *           or of the file
 *   ENOMEM  RLIMIT_MEMLOCK would be exceeded, or no memory
 *   EDQUOT  the lease has as many pins as it may have; or as ENOSPC
 *   EAGAIN  an operation that conflicts with these pages is waiting or under way
 *   ENODEV  the lease is withdrawn
 *   ENOSPC, EDQUOT, EIO  the filesystem could not make a page writable (a page
 *           fault does not say why: EDQUOT if a quota of the file's user, group
 *           or project leaves too little, ENOSPC if the filesystem is full, else
 *           EIO, also for an exceeded qgroup of btrfs)
 *   EINTR   a signal arrived
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
 *   ENODEV  the lease is withdrawn
 *   EBUSY   a driver is using the pin, a dma-buf has it, or the filesystem is
 *           frozen; the pin stays
 *   ENOMEM  no memory; the pin stays
 *   ENOSPC, EDQUOT, EIO  the pages are unpinned, but could not be made dirty;
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
 *   ENODEV  the lease is withdrawn
 *   EBUSY   the filesystem is frozen
 *   ENOSPC, EDQUOT, EIO  the filesystem refuses the write
 */
struct pinlease_mark {
	__u32 size;
	__u32 reserved;
	__u64 offset;
	__u64 length;
};

/**
 * struct pinlease_shrink - PINLEASE_IOC_SHRINK, on a lease
 * @size:     sizeof(struct pinlease_shrink)
 * @reserved: 0
 * @offset:   first byte of the new range, a multiple of the page size
 * @length:   bytes of it; rounded up to whole pages
 *
 * Gives back what is outside of the new range, which lies inside of the old
 * one.  Errors:
 *   EINVAL  @offset is not page-aligned, or the range is empty or overflows
 *   ENXIO   the new range reaches outside of the old one
 *   EBUSY   a pin has pages outside of the new range; with
 *           PINLEASE_ACQUIRE_GRANT also somebody else's
 *   ENODEV  the lease is withdrawn
 */
struct pinlease_shrink {
	__u32 size;
	__u32 reserved;
	__u64 offset;
	__u64 length;
};

/**
 * struct pinlease_event - what read(2) returns, on a lease or a watch
 * @size:        bytes in this record; the next one follows
 * @kind:        PINLEASE_EVENT_*
 * @lease:       the lease's id, as PINLEASE_IOC_QUERY tells it
 * @breaker:     names the breaker: the same in all events of one break; 0: none
 * @operation:   PINLEASE_OPERATION_*, what the breaker does; 0: nothing
 * @pid:         its process, in the reader's pid namespace; 0: there it is not
 *               visible
 * @offset:      first byte of the breaker's range; for ACQUIRED and RELEASED of
 *               the lease's; for ERROR of what could not be saved
 * @length:      bytes of it
 * @time_ns:     when it happened, CLOCK_MONOTONIC
 * @deadline_ns: BREAK: when the policy will act, CLOCK_MONOTONIC; 0: never
 * @lost:        OVERFLOW: how many events are not there
 * @policy:      PINLEASE_POLICY_* of the lease
 * @error:       ERROR: why, an errno; else 0
 * @comm:        the breaker's name, if @pid is not 0
 *
 * ERROR: pages of the range could not be made dirty (ENOSPC, EDQUOT, EIO, ENOMEM)
 * or written (EIO).  What fails together is one event, whose range has all of it.
 * The pin stays, and so does what the device wrote: it is tried again whenever
 * somebody asks for durability, and by the tick.  fsync(2) reports the error, too.
 *
 * read(2) returns as many whole records as fit.  It blocks while there is none,
 * or with O_NONBLOCK fails with EAGAIN; EINVAL: not even one record fits.
 * On a lease poll(2) says POLLIN | POLLPRI; fcntl(2) F_SETOWN, F_SETSIG and
 * O_ASYNC work, si_fd being the lease.
 */
struct pinlease_event {
	__u32 size;
	__u32 kind;
	__u64 lease;
	__u64 breaker;
	__u32 operation;
	__s32 pid;
	__u64 offset;
	__u64 length;
	__u64 time_ns;
	__u64 deadline_ns;
	__u64 lost;
	__u32 policy;
	__u32 error;
	char comm[16];
};

#define PINLEASE_EVENT_BREAK	1	/* answer until the deadline */
#define PINLEASE_EVENT_OVER	2	/* a breaker that waited is done, or gave up; the lease is as before */
#define PINLEASE_EVENT_WITHDRAWN	3	/* the policy acted; the lease is good for nothing more */
#define PINLEASE_EVENT_REFUSED	4	/* a breaker was refused */
#define PINLEASE_EVENT_OVERFLOW	5	/* events were lost, the ones before this */
#define PINLEASE_EVENT_ACQUIRED	6	/* only on a watch */
#define PINLEASE_EVENT_RELEASED	7	/* only on a watch: it ended, nothing is pinned */
#define PINLEASE_EVENT_ERROR	8	/* what a device wrote could not be saved */

#define PINLEASE_OPERATION_TRUNCATE	1
#define PINLEASE_OPERATION_PUNCH_HOLE	2
#define PINLEASE_OPERATION_ZERO_RANGE	3
#define PINLEASE_OPERATION_COLLAPSE_RANGE	4
#define PINLEASE_OPERATION_INSERT_RANGE	5
#define PINLEASE_OPERATION_UNSHARE_RANGE	6
#define PINLEASE_OPERATION_WRITE_ZEROES	7
#define PINLEASE_OPERATION_CLONE	8
#define PINLEASE_OPERATION_DEDUPE	9
#define PINLEASE_OPERATION_COPY	10	/* copy_file_range(2), where it shares */
#define PINLEASE_OPERATION_EXCHANGE	11	/* exchange-range, swapext, move-extent */
#define PINLEASE_OPERATION_DIRECT_WRITE	12
#define PINLEASE_OPERATION_SWAPON	13
#define PINLEASE_OPERATION_SET_FLAGS	14	/* FS_IOC_SETFLAGS: journaling, realtime */

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
 * @id:           names the lease in events and in PINLEASE_IOC_NEXT
 * @deadline_ns:  STATE_BREAKING: when the policy acts, CLOCK_MONOTONIC; 0: never
 * @granted_bytes: with PINLEASE_ACQUIRE_GRANT: bytes of the range in pages that
 *                anybody pins now, the lease's own pins among them (each page
 *                is looked at; may be too many when a page has more than 1000
 *                references); else 0
 * @flags:        PINLEASE_ACQUIRE_GRANT, if it was acquired with that
 * @exports:      dma-bufs that have its pages
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
	/* second version */
	__u64 id;
	__u64 deadline_ns;
	/* third version */
	__u64 granted_bytes;
	__u32 flags;
	__u32 exports;
};

#define PINLEASE_STATE_HELD	0
#define PINLEASE_STATE_BREAKING	1	/* a breaker waits, or will come back */
#define PINLEASE_STATE_WITHDRAWN	2	/* the policy acted */
#define PINLEASE_STATE_DRAINING	3	/* closed, but something is still pinned */

/**
 * struct pinlease_next - PINLEASE_IOC_NEXT, on /dev/pinlease
 * @size:         sizeof(struct pinlease_next)
 * @state:        out: PINLEASE_STATE_*
 * @id:           in: the id after which to look, at first 0; out: the lease
 * @offset:       out: first byte of the range
 * @length:       out: bytes of the range
 * @pins:         out: pins held
 * @pinned_bytes: out: bytes in them
 * @inode:        out: inode number of the file
 * @deadline_ns:  out: STATE_BREAKING: when the policy acts; 0: never
 * @device:       out: device number of the file, as makedev(3) makes it
 * @policy:       out: PINLEASE_POLICY_*
 * @grace_ms:     out: milliseconds
 * @pid:          out: the holder, in the caller's pid namespace; 0: not visible
 * @uid:          out: its user, in the caller's user namespace
 * @path_size:    in: bytes at @path; out: bytes of the path with the final 0,
 *                0 when the caller may not see it (neither holder's user nor
 *                CAP_SYS_ADMIN) or there is none
 * @path:         in: address where the file's path goes; cut when it is longer
 *                than @path_size, without a final 0 then
 * @comm:         out: the holder's name, if @pid is not 0
 * @granted_bytes: out: as PINLEASE_IOC_QUERY tells it; 0 when the caller may not
 *                see the path
 * @flags:        out: as PINLEASE_IOC_QUERY tells it
 * @exports:      out: as PINLEASE_IOC_QUERY tells it
 *
 * Tells about the lease with the next higher id.  Errors:
 *   ENOENT  there is none
 */
struct pinlease_next {
	__u32 size;
	__u32 state;
	__u64 id;
	__u64 offset;
	__u64 length;
	__u64 pins;
	__u64 pinned_bytes;
	__u64 inode;
	__u64 deadline_ns;
	__u64 device;
	__u32 policy;
	__u32 grace_ms;
	__s32 pid;
	__u32 uid;
	__u32 reserved;
	__u32 path_size;
	__u64 path;
	char comm[16];
	/* second version */
	__u64 granted_bytes;
	__u32 flags;
	__u32 exports;
};

/**
 * struct pinlease_watch - PINLEASE_IOC_WATCH, on /dev/pinlease
 * @size:  sizeof(struct pinlease_watch)
 * @flags: PINLEASE_WATCH_*
 *
 * Returns a file descriptor on which events of all leases can be read whose
 * holder is the caller's user, or of all leases with CAP_SYS_ADMIN.  Errors:
 *   EMFILE  no descriptor, or the user has 64 watches
 *   ENFILE, ENOMEM
 */
struct pinlease_watch {
	__u32 size;
	__u32 flags;
};

#define PINLEASE_WATCH_CLOEXEC	(1U << 0)

/**
 * struct pinlease_export - PINLEASE_IOC_EXPORT, on a lease
 * @size:       sizeof(struct pinlease_export)
 * @open_flags: O_RDONLY or O_RDWR, with or without O_CLOEXEC; only O_RDWR can
 *              be mapped for writing.  Devices may write either way.
 * @id:         from PINLEASE_IOC_PIN
 * @offset:     first byte in the pin, a multiple of the page size
 * @length:     bytes, a multiple of the page size; 0: to the end of the pin
 *
 * Returns a dma-buf, a file descriptor: any importer can map these pages for
 * its device.  As long as it exists, PINLEASE_IOC_UNPIN says EBUSY.  It does
 * not keep the lease: when that is closed, or its policy acts, the dma-buf is
 * revoked.  Its mappings are gone then (SIGBUS), attaching and mapping say
 * ENODEV, importers that can be invalidated have let go, and for others the
 * lease is draining until they do.
 *
 * With the policy REVOKE only importers that can be invalidated may attach,
 * others get EOPNOTSUPP; and it has no mapping for the kernel (vmap), which
 * cannot be taken away: importers that want one, as the V4L2 drivers that
 * write by the CPU do, get EINVAL.
 *
 * Errors:
 *   EINVAL  unknown @open_flags; @offset or @length is not page-aligned, or
 *           they overflow
 *   ENOENT  no such pin
 *   ENXIO   the range reaches outside of the pin
 *   ENODEV  the pin is being released, or the lease is withdrawn
 *   ENOMEM, EMFILE, ENFILE
 */
struct pinlease_export {
	__u32 size;
	__u32 open_flags;
	__u64 id;
	__u64 offset;
	__u64 length;
};

/**
 * struct pinlease_quiesce - PINLEASE_IOC_QUIESCE, on /dev/pinlease
 * @size:     sizeof(struct pinlease_quiesce)
 * @flags:    PINLEASE_QUIESCE_BEGIN, PINLEASE_QUIESCE_END, or 0: only tell
 * @state:    out: PINLEASE_QUIESCED_*
 * @reserved: 0
 *
 * From BEGIN to END nobody gets a new lease (ESHUTDOWN); leases that are there
 * stay, and can be used, until their holders end them. With the last of them the
 * hooks go, at once: then the functions can be livepatched. BEGIN does not wait
 * for that; ask again. It holds until END or until the module is unloaded,
 * whatever becomes of the caller. Errors:
 *   EINVAL  unknown @flags, or both
 *   EPERM   BEGIN and END without CAP_SYS_ADMIN in the first user namespace
 */
struct pinlease_quiesce {
	__u32 size;
	__u32 flags;
	__u32 state;
	__u32 reserved;
};

#define PINLEASE_QUIESCE_BEGIN	(1U << 0)
#define PINLEASE_QUIESCE_END	(1U << 1)

#define PINLEASE_QUIESCED_LEASES	(1U << 0)	/* new leases are refused */
#define PINLEASE_QUIESCED_HOOKS	(1U << 1)	/* no hook is installed */

#define PINLEASE_IOC_TYPE	0xBD

#define PINLEASE_IOC_ACQUIRE	_IOW(PINLEASE_IOC_TYPE, 0, struct pinlease_acquire)
#define PINLEASE_IOC_PIN	_IOWR(PINLEASE_IOC_TYPE, 1, struct pinlease_pin)
#define PINLEASE_IOC_UNPIN	_IOW(PINLEASE_IOC_TYPE, 2, struct pinlease_unpin)
#define PINLEASE_IOC_MARK	_IOW(PINLEASE_IOC_TYPE, 3, struct pinlease_mark)
#define PINLEASE_IOC_QUERY	_IOWR(PINLEASE_IOC_TYPE, 4, struct pinlease_query)
#define PINLEASE_IOC_SHRINK	_IOW(PINLEASE_IOC_TYPE, 5, struct pinlease_shrink)
#define PINLEASE_IOC_NEXT	_IOWR(PINLEASE_IOC_TYPE, 6, struct pinlease_next)
#define PINLEASE_IOC_WATCH	_IOW(PINLEASE_IOC_TYPE, 7, struct pinlease_watch)
#define PINLEASE_IOC_EXPORT	_IOW(PINLEASE_IOC_TYPE, 8, struct pinlease_export)
#define PINLEASE_IOC_QUIESCE	_IOWR(PINLEASE_IOC_TYPE, 9, struct pinlease_quiesce)

#endif /* _UAPI_LINUX_PINLEASE_H */
