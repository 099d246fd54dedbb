/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * pinlease: leases on byte ranges of files whose mapped memory a device writes.
 * Documentation/uapi.rst is made from this file; it also tells how it all goes
 * together.
 */
#ifndef _UAPI_LINUX_PINLEASE_H
#define _UAPI_LINUX_PINLEASE_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: Structures
 *
 * Everything starts at /dev/pinlease: PINLEASE_IOC_ACQUIRE returns a lease, a
 * file descriptor of its own, and the commands on memory are made on that.
 * Closing the last copy of it unpins everything and ends the lease.
 *
 * Each command's argument is a structure that begins with its size, as in
 * clone3(2) and openat2(2), and that is what counts, not the size in the
 * command's number: a caller built against a newer header works as long as the
 * fields that the module does not know are zero, and fields that an older
 * caller does not have read as zero.
 */

/**
 * DOC: Errors of all commands
 *
 * %EFAULT
 *   the argument cannot be read or written
 * %EINVAL
 *   the size is smaller than the first version of the structure, a reserved
 *   field is not zero, or an unknown flag is set
 * %E2BIG
 *   the size is larger than the module's structure and the rest is not zero,
 *   or larger than 4096
 * %ENOTTY
 *   unknown command, or one of another kind of descriptor
 * %ENOMEM
 *   no memory
 */

/**
 * DOC: Policies
 *
 * Who yields when a conflicting operation (the breaker) meets the lease: one
 * that detaches, moves or shares pages of its range, or of a folio in which a
 * page is pinned (folios can be larger than the range).  The breaker waits
 * while the holder may answer; when the grace is over, the policy acts.
 *
 * PINLEASE_POLICY_KILL
 *   the holder is killed
 * PINLEASE_POLICY_REVOKE
 *   its pins are taken away
 * PINLEASE_POLICY_BLOCK
 *   the breaker waits on
 * PINLEASE_POLICY_REFUSE
 *   the breaker gets %ETXTBSY at once, without a grace
 */
#define PINLEASE_POLICY_KILL	0
#define PINLEASE_POLICY_REVOKE	1
#define PINLEASE_POLICY_BLOCK	2
#define PINLEASE_POLICY_REFUSE	3

/**
 * struct pinlease_acquire - argument of PINLEASE_IOC_ACQUIRE
 * @size:     sizeof(struct pinlease_acquire)
 * @flags:    PINLEASE_ACQUIRE_CLOEXEC, PINLEASE_ACQUIRE_GRANT
 * @fd:       the file, a regular file open for reading and writing
 * @policy:   one of the policies, PINLEASE_POLICY_KILL etc.
 * @offset:   first byte of the range, a multiple of the page size
 * @length:   bytes; rounded up to whole pages; 0: up to the end of the file
 *            as it is now
 * @grace_ms: milliseconds that a breaker waits for the holder before the
 *            policy acts; 0: the sysctl fs.lease-break-time, or the module's
 *            parameter grace_max_ms if that is less or the sysctl is 0. No
 *            meaning with PINLEASE_POLICY_BLOCK and PINLEASE_POLICY_REFUSE.
 * @reserved: 0
 *
 * The lease is returned, a file descriptor.  The holder is the calling process;
 * its children and whoever gets a copy of the descriptor are not.
 *
 * Errors:
 *
 * %EBADF
 *   @fd is not an open file, or not open for reading and writing
 * %EINVAL
 *   @offset is not page-aligned, the range is empty or overflows, the file is
 *   not a regular one, or there is no such policy
 * %ENXIO
 *   the range reaches beyond the page with the end of the file
 * %EACCES
 *   the caller neither owns the inode nor has CAP_LEASE
 * %EPERM
 *   @grace_ms is more than grace_max_ms (with any policy), and the caller has
 *   no CAP_SYS_RESOURCE
 * %EOPNOTSUPP
 *   no lease can be kept on this filesystem, in this mode of it, or on this
 *   kernel (a debug message says why); PINLEASE_POLICY_REVOKE with
 *   PINLEASE_ACQUIRE_GRANT; or PINLEASE_POLICY_KILL, and the caller is process 1
 *   of the machine
 * %EBUSY
 *   another user of the kernel (a livepatch, a kprobe, a BPF program) holds a
 *   function that must be hooked; the kernel log says which
 * %ESHUTDOWN
 *   the administrator lets no new leases in, see PINLEASE_IOC_QUIESCE
 * %EAGAIN
 *   an operation that conflicts with the range waits or is under way; one that
 *   was under way when the file was leased for the first time did not end
 *   within 10 s; or another kind of lease of the file is being broken
 * %EINTR
 *   a signal arrived
 * %EDQUOT
 *   the user has as many leases as leases_per_user allows
 * %ENOMEM
 *   no memory; with PINLEASE_ACQUIRE_GRANT also: RLIMIT_MEMLOCK, to which eight
 *   bytes for each page of the range are charged
 * %EMFILE, %ENFILE
 *   no file descriptor
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

/**
 * define PINLEASE_ACQUIRE_CLOEXEC - the lease is closed at execve(2)
 */
#define PINLEASE_ACQUIRE_CLOEXEC	(1U << 0)

/**
 * define PINLEASE_ACQUIRE_GRANT - others may pin the range, too
 *
 * Other parts of the kernel (io_uring's registered buffers, RDMA memory
 * regions, VFIO, AF_XDP and so on) may then pin the range for a long time, as
 * they may anonymous memory, through any shared mapping of the holder's that
 * lies as a whole in ranges that the holder has leased so, none of them
 * withdrawn, and in no breaker's way; else they fail as without a lease.  The
 * mapping may be made before or after, and by a program that the holder became
 * by execve(2), but not by a child.
 *
 * Such a lease answers a break when it is closed or shrunk, not by
 * PINLEASE_IOC_UNPIN, and breakers wait until the others have unpinned, which
 * may take longer than the holder lives.  Nobody can take such pins away: with
 * PINLEASE_POLICY_REVOKE the flag is refused.
 */
#define PINLEASE_ACQUIRE_GRANT	(1U << 1)

/**
 * struct pinlease_pin - argument of PINLEASE_IOC_PIN
 * @size:   sizeof(struct pinlease_pin)
 * @flags:  PINLEASE_PIN_MARKED
 * @addr:   page-aligned user address, in one shared writable mapping of the
 *          leased file
 * @length: bytes, a multiple of the page size
 * @offset: out: file offset of @addr
 * @id:     out: names the pin in PINLEASE_IOC_UNPIN and for kernel drivers;
 *          never used twice
 *
 * Errors:
 *
 * %EINVAL
 *   @addr or @length is not page-aligned, or @length is 0
 * %EFAULT
 *   the memory is not one shared writable mapping of pages that the file has,
 *   or they left the file meanwhile
 * %ENXIO
 *   the mapping is of another file, or reaches outside of the lease or of the
 *   file
 * %ENOMEM
 *   RLIMIT_MEMLOCK would be exceeded, or no memory
 * %EDQUOT
 *   the lease has as many pins as pins_per_lease allows; or as %ENOSPC
 * %EAGAIN
 *   an operation that conflicts with these pages, or with others of their
 *   folios, waits or is under way; or another thread changes the mapping
 * %ENODEV
 *   the lease is withdrawn
 * %ENOSPC, %EDQUOT, %EIO
 *   the filesystem could not make a page writable; a page fault does not say
 *   why: %EDQUOT if a quota of the file's user, group or project leaves too
 *   little, %ENOSPC if the filesystem is full, else %EIO, also for an exceeded
 *   qgroup of btrfs
 * %EINTR
 *   a signal arrived
 */
struct pinlease_pin {
	__u32 size;
	__u32 flags;
	__u64 addr;
	__u64 length;
	__u64 offset;
	__u64 id;
};

/**
 * define PINLEASE_PIN_MARKED - the holder says what the device wrote
 *
 * It says so by PINLEASE_IOC_MARK: fsync and the periodic tick then skip this
 * pin, and only marked bytes are written back.
 */
#define PINLEASE_PIN_MARKED	(1U << 0)

/**
 * struct pinlease_unpin - argument of PINLEASE_IOC_UNPIN
 * @size:     sizeof(struct pinlease_unpin)
 * @reserved: 0
 * @id:       from PINLEASE_IOC_PIN
 *
 * What the device wrote before the call is dirty data of the file when it
 * returns, and durable after fsync(2); of a pin with PINLEASE_PIN_MARKED, what
 * was marked.
 *
 * Errors:
 *
 * %ENOENT
 *   the lease has no such pin
 * %ENODEV
 *   nor can it have, as it is withdrawn
 * %EBUSY
 *   a driver is attached to the pin, a dma-buf has it, or the filesystem is
 *   frozen (not for a pin with PINLEASE_PIN_MARKED); the pin stays
 * %ENOMEM
 *   no memory; the pin stays
 * %ENOSPC, %EDQUOT, %EIO
 *   the pages are unpinned, but what the device wrote could not be made dirty;
 *   fsync(2) reports it too
 */
struct pinlease_unpin {
	__u32 size;
	__u32 reserved;
	__u64 id;
};

/**
 * struct pinlease_mark - argument of PINLEASE_IOC_MARK
 * @size:     sizeof(struct pinlease_mark)
 * @reserved: 0
 * @offset:   first byte in the file
 * @length:   bytes
 *
 * Says that the device wrote these bytes since the last mark.  The pinned folios
 * that have one of them are dirty when the call returns, those of pins without
 * PINLEASE_PIN_MARKED as well; what is not pinned is ignored.
 *
 * Errors:
 *
 * %EINVAL
 *   the range is empty or overflows
 * %ENXIO
 *   the range, rounded to pages, reaches outside of the lease
 * %ENODEV
 *   the lease is withdrawn
 * %EBUSY
 *   the filesystem is frozen
 * %ENOSPC, %EDQUOT, %EIO
 *   the filesystem refuses the write; all other folios were tried, and fsync(2)
 *   reports it too
 */
struct pinlease_mark {
	__u32 size;
	__u32 reserved;
	__u64 offset;
	__u64 length;
};

/**
 * struct pinlease_shrink - argument of PINLEASE_IOC_SHRINK
 * @size:     sizeof(struct pinlease_shrink)
 * @reserved: 0
 * @offset:   first byte of the new range, a multiple of the page size
 * @length:   bytes of it; rounded up to whole pages
 *
 * Gives back what is outside of the new range, which lies inside of the old
 * one: a lease does not grow, and is not split.
 *
 * Errors:
 *
 * %EINVAL
 *   @offset is not page-aligned, or the range is empty or overflows
 * %ENXIO
 *   the new range reaches outside of the old one
 * %EBUSY
 *   a pin has pages outside of the new range; with PINLEASE_ACQUIRE_GRANT also
 *   somebody else's; unpin first
 * %ENODEV
 *   the lease is withdrawn
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
 * @kind:        one of the kinds, PINLEASE_EVENT_BREAK etc.
 * @lease:       the lease's id, as PINLEASE_IOC_QUERY tells it
 * @breaker:     names the breaker: the same in all events of one break; 0: none
 * @operation:   what the breaker does, PINLEASE_OPERATION_TRUNCATE etc.; 0:
 *               nothing
 * @pid:         its process, in the reader's pid namespace; 0: there it is not
 *               visible
 * @offset:      first byte of the breaker's range; for PINLEASE_EVENT_ACQUIRED
 *               and PINLEASE_EVENT_RELEASED of the lease's; for
 *               PINLEASE_EVENT_ERROR of what could not be saved
 * @length:      bytes of it
 * @time_ns:     nanoseconds of CLOCK_MONOTONIC when it happened
 * @deadline_ns: for PINLEASE_EVENT_BREAK: nanoseconds of CLOCK_MONOTONIC when
 *               the policy will act; 0: never
 * @lost:        for PINLEASE_EVENT_OVERFLOW: how many events are not there
 * @policy:      of the lease
 * @error:       for PINLEASE_EVENT_ERROR: why, an errno; else 0
 * @comm:        the breaker's name, if @pid is not 0
 *
 * read(2) returns as many whole records as fit, the oldest first.  It blocks
 * while there is none.
 *
 * Errors of read(2):
 *
 * %EAGAIN
 *   there is no event, and the descriptor has O_NONBLOCK
 * %EINVAL
 *   not even one record fits
 * %EFAULT
 *   the buffer cannot be written; no event is lost
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

/**
 * DOC: Kinds of events
 *
 * PINLEASE_EVENT_BREAK
 *   a breaker wants the range; answer until the deadline
 * PINLEASE_EVENT_OVER
 *   a breaker that waited has done it, timed out or was interrupted; the lease
 *   is as before
 * PINLEASE_EVENT_WITHDRAWN
 *   the policy acted, for the breaker of which it tells; the lease is good for
 *   nothing more
 * PINLEASE_EVENT_REFUSED
 *   a breaker was refused, by the policy or because it cannot wait
 * PINLEASE_EVENT_OVERFLOW
 *   events were lost, the ones before this
 * PINLEASE_EVENT_ACQUIRED
 *   only on a watch: the lease begins
 * PINLEASE_EVENT_RELEASED
 *   only on a watch: it ended, nothing is pinned
 * PINLEASE_EVENT_ERROR
 *   what a device wrote could not be made dirty (%ENOSPC, %EDQUOT, %EIO,
 *   %ENOMEM) or written (%EIO).  What fails together is one event, whose range
 *   goes from the first page to the last one that failed.
 */
#define PINLEASE_EVENT_BREAK	1
#define PINLEASE_EVENT_OVER	2
#define PINLEASE_EVENT_WITHDRAWN	3
#define PINLEASE_EVENT_REFUSED	4
#define PINLEASE_EVENT_OVERFLOW	5
#define PINLEASE_EVENT_ACQUIRED	6
#define PINLEASE_EVENT_RELEASED	7
#define PINLEASE_EVENT_ERROR	8

/**
 * DOC: Operations
 *
 * PINLEASE_OPERATION_TRUNCATE
 *   truncate(2), ftruncate(2), open(2) with O_TRUNC
 * PINLEASE_OPERATION_PUNCH_HOLE
 *   fallocate(2) with FALLOC_FL_PUNCH_HOLE, MADV_REMOVE
 * PINLEASE_OPERATION_ZERO_RANGE
 *   fallocate(2) with FALLOC_FL_ZERO_RANGE
 * PINLEASE_OPERATION_COLLAPSE_RANGE
 *   fallocate(2) with FALLOC_FL_COLLAPSE_RANGE
 * PINLEASE_OPERATION_INSERT_RANGE
 *   fallocate(2) with FALLOC_FL_INSERT_RANGE
 * PINLEASE_OPERATION_UNSHARE_RANGE
 *   fallocate(2) with FALLOC_FL_UNSHARE_RANGE
 * PINLEASE_OPERATION_WRITE_ZEROES
 *   fallocate(2) with FALLOC_FL_WRITE_ZEROES
 * PINLEASE_OPERATION_CLONE
 *   FICLONE, FICLONERANGE
 * PINLEASE_OPERATION_DEDUPE
 *   FIDEDUPERANGE
 * PINLEASE_OPERATION_COPY
 *   copy_file_range(2), where it shares
 * PINLEASE_OPERATION_EXCHANGE
 *   exchange-range and swapext of XFS, move-extent of ext4
 * PINLEASE_OPERATION_DIRECT_WRITE
 *   a write that does not go through the page cache
 * PINLEASE_OPERATION_SWAPON
 *   swapon(2)
 * PINLEASE_OPERATION_SET_FLAGS
 *   FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR: journaling, realtime
 */
#define PINLEASE_OPERATION_TRUNCATE	1
#define PINLEASE_OPERATION_PUNCH_HOLE	2
#define PINLEASE_OPERATION_ZERO_RANGE	3
#define PINLEASE_OPERATION_COLLAPSE_RANGE	4
#define PINLEASE_OPERATION_INSERT_RANGE	5
#define PINLEASE_OPERATION_UNSHARE_RANGE	6
#define PINLEASE_OPERATION_WRITE_ZEROES	7
#define PINLEASE_OPERATION_CLONE	8
#define PINLEASE_OPERATION_DEDUPE	9
#define PINLEASE_OPERATION_COPY	10
#define PINLEASE_OPERATION_EXCHANGE	11
#define PINLEASE_OPERATION_DIRECT_WRITE	12
#define PINLEASE_OPERATION_SWAPON	13
#define PINLEASE_OPERATION_SET_FLAGS	14

/**
 * struct pinlease_query - argument of PINLEASE_IOC_QUERY
 * @size:         sizeof(struct pinlease_query)
 * @policy:       as acquired
 * @state:        one of the states, PINLEASE_STATE_HELD etc.
 * @grace_ms:     milliseconds, as acquired
 * @offset:       first byte of the range
 * @length:       bytes of the range, in whole pages
 * @pins:         pins held
 * @pinned_bytes: bytes in them
 * @snapshots:    pages of this file written from a snapshot since its first lease
 * @rearmed:      folios of this file re-armed since its first lease
 * @errors:       re-arms and writes of snapshots of this file that failed
 * @id:           names the lease in events and in PINLEASE_IOC_NEXT
 * @deadline_ns:  in PINLEASE_STATE_BREAKING: nanoseconds of CLOCK_MONOTONIC when
 *                the policy acts next; 0: never
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

/**
 * DOC: States
 *
 * PINLEASE_STATE_HELD
 *   nobody wants the range
 * PINLEASE_STATE_BREAKING
 *   a breaker waits, or a break stands: the breaker will come back
 * PINLEASE_STATE_WITHDRAWN
 *   the policy acted
 * PINLEASE_STATE_DRAINING
 *   closed, but something is still pinned; only PINLEASE_IOC_NEXT can tell that
 */
#define PINLEASE_STATE_HELD	0
#define PINLEASE_STATE_BREAKING	1
#define PINLEASE_STATE_WITHDRAWN	2
#define PINLEASE_STATE_DRAINING	3

/**
 * struct pinlease_next - argument of PINLEASE_IOC_NEXT
 * @size:         sizeof(struct pinlease_next)
 * @state:        out: one of the states, PINLEASE_STATE_HELD etc.
 * @id:           in: the id after which to look, at first 0; out: the lease
 * @offset:       out: first byte of the range
 * @length:       out: bytes of the range
 * @pins:         out: pins held
 * @pinned_bytes: out: bytes in them
 * @inode:        out: inode number of the file
 * @deadline_ns:  out: as PINLEASE_IOC_QUERY tells it
 * @device:       out: device number of the file, as makedev(3) makes it
 * @policy:       out: as acquired
 * @grace_ms:     out: milliseconds, as acquired
 * @pid:          out: the holder, in the caller's pid namespace; 0: not visible
 * @uid:          out: its user, in the caller's user namespace
 * @reserved:     0
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
 * Tells about the lease with the next higher id.
 *
 * Errors:
 *
 * %ENOENT
 *   there is none
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
 * struct pinlease_watch - argument of PINLEASE_IOC_WATCH
 * @size:  sizeof(struct pinlease_watch)
 * @flags: PINLEASE_WATCH_CLOEXEC
 *
 * Returns a file descriptor on which events can be read of all leases whose
 * holder is the caller's user, with CAP_SYS_ADMIN of all leases.
 *
 * Errors:
 *
 * %EMFILE
 *   no file descriptor, or the user has 64 watches
 * %ENFILE
 *   no file descriptor
 */
struct pinlease_watch {
	__u32 size;
	__u32 flags;
};

/**
 * define PINLEASE_WATCH_CLOEXEC - the watch is closed at execve(2)
 */
#define PINLEASE_WATCH_CLOEXEC	(1U << 0)

/**
 * struct pinlease_export - argument of PINLEASE_IOC_EXPORT
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
 *
 * %EINVAL
 *   unknown @open_flags; @offset or @length is not page-aligned, or they
 *   overflow
 * %ENOENT
 *   the lease has no such pin
 * %ENXIO
 *   the range reaches outside of the pin
 * %ENODEV
 *   the pin is being released, or the lease is withdrawn
 * %EMFILE, %ENFILE
 *   no file descriptor
 */
struct pinlease_export {
	__u32 size;
	__u32 open_flags;
	__u64 id;
	__u64 offset;
	__u64 length;
};

/**
 * struct pinlease_quiesce - argument of PINLEASE_IOC_QUIESCE
 * @size:     sizeof(struct pinlease_quiesce)
 * @flags:    PINLEASE_QUIESCE_BEGIN, PINLEASE_QUIESCE_END, or 0: only tell
 * @state:    out: PINLEASE_QUIESCED_LEASES, PINLEASE_QUIESCED_HOOKS
 * @reserved: 0
 *
 * Errors:
 *
 * %EINVAL
 *   unknown @flags, or both
 * %EPERM
 *   @flags are not 0, and the caller has no CAP_SYS_ADMIN in the first user
 *   namespace
 */
struct pinlease_quiesce {
	__u32 size;
	__u32 flags;
	__u32 state;
	__u32 reserved;
};

/**
 * define PINLEASE_QUIESCE_BEGIN - nobody gets a new lease
 *
 * Leases that are there stay, and can be used, until their holders end them.
 * With the last of them the hooks go, at once: then the functions can be
 * livepatched. The command does not wait for that; ask again. It holds until
 * PINLEASE_QUIESCE_END or until the module is unloaded, whatever becomes of the
 * caller.
 */
#define PINLEASE_QUIESCE_BEGIN	(1U << 0)

/**
 * define PINLEASE_QUIESCE_END - leases can be had again
 */
#define PINLEASE_QUIESCE_END	(1U << 1)

/**
 * define PINLEASE_QUIESCED_LEASES - new leases are refused
 */
#define PINLEASE_QUIESCED_LEASES	(1U << 0)

/**
 * define PINLEASE_QUIESCED_HOOKS - no hook is installed
 */
#define PINLEASE_QUIESCED_HOOKS	(1U << 1)

/**
 * DOC: Commands
 *
 * On /dev/pinlease:
 *
 * PINLEASE_IOC_ACQUIRE
 *   take a lease; &struct pinlease_acquire
 * PINLEASE_IOC_NEXT
 *   list the leases; &struct pinlease_next
 * PINLEASE_IOC_WATCH
 *   read events of many leases; &struct pinlease_watch
 * PINLEASE_IOC_QUIESCE
 *   let no new leases in; &struct pinlease_quiesce
 *
 * On a lease:
 *
 * PINLEASE_IOC_PIN
 *   pin memory of the calling process; &struct pinlease_pin
 * PINLEASE_IOC_UNPIN
 *   end a pin; &struct pinlease_unpin
 * PINLEASE_IOC_MARK
 *   say what the device wrote; &struct pinlease_mark
 * PINLEASE_IOC_SHRINK
 *   give back an end of the range; &struct pinlease_shrink
 * PINLEASE_IOC_EXPORT
 *   make a dma-buf of a pin; &struct pinlease_export
 * PINLEASE_IOC_QUERY
 *   ask how the lease is; &struct pinlease_query
 */
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
