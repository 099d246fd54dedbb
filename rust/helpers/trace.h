/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Documentation/observing.rst says when each fires. dev and ino are the leased
 * file's; offset and length are bytes.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pinlease

#if !defined(PINLEASE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define PINLEASE_TRACE_H

#include <linux/fs.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/tracepoint.h>
#include <uapi/linux/pinlease.h>
#include "helpers.h"

#define pinlease_show_policy(policy)					\
	__print_symbolic(policy,					\
		{ PINLEASE_POLICY_KILL, "kill" },			\
		{ PINLEASE_POLICY_REVOKE, "revoke" },			\
		{ PINLEASE_POLICY_BLOCK, "block" },			\
		{ PINLEASE_POLICY_REFUSE, "refuse" })

#define pinlease_show_operation(operation)				\
	__print_symbolic(operation,					\
		{ PINLEASE_OPERATION_TRUNCATE, "truncate" },		\
		{ PINLEASE_OPERATION_PUNCH_HOLE, "punch-hole" },	\
		{ PINLEASE_OPERATION_ZERO_RANGE, "zero-range" },	\
		{ PINLEASE_OPERATION_COLLAPSE_RANGE, "collapse-range" },\
		{ PINLEASE_OPERATION_INSERT_RANGE, "insert-range" },	\
		{ PINLEASE_OPERATION_UNSHARE_RANGE, "unshare-range" },	\
		{ PINLEASE_OPERATION_WRITE_ZEROES, "write-zeroes" },	\
		{ PINLEASE_OPERATION_CLONE, "clone" },			\
		{ PINLEASE_OPERATION_DEDUPE, "dedupe" },		\
		{ PINLEASE_OPERATION_COPY, "copy" },			\
		{ PINLEASE_OPERATION_EXCHANGE, "exchange" },		\
		{ PINLEASE_OPERATION_DIRECT_WRITE, "direct-write" },	\
		{ PINLEASE_OPERATION_SWAPON, "swapon" },		\
		{ PINLEASE_OPERATION_SET_FLAGS, "set-flags" })

#define pinlease_show_outcome(outcome)					\
	__print_symbolic(outcome,					\
		{ PINLEASE_OUTCOME_RELEASED, "released" },		\
		{ PINLEASE_OUTCOME_KILLED, "killed" },			\
		{ PINLEASE_OUTCOME_REVOKED, "revoked" },		\
		{ PINLEASE_OUTCOME_REFUSED, "refused" },		\
		{ PINLEASE_OUTCOME_WOULD_WAIT, "would_wait" },		\
		{ PINLEASE_OUTCOME_DEADLOCK, "deadlock" },		\
		{ PINLEASE_OUTCOME_TIMED_OUT, "timed_out" },		\
		{ PINLEASE_OUTCOME_INTERRUPTED, "interrupted" })

/* A lease, and its range. */
DECLARE_EVENT_CLASS(pinlease_lease,
	TP_PROTO(struct inode *inode, u64 lease, u32 policy, u64 offset, u64 length),
	TP_ARGS(inode, lease, policy, offset, length),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u32, policy)
		__field(u64, ino)
		__field(u64, lease)
		__field(u64, offset)
		__field(u64, length)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->policy = policy;
		__entry->ino = inode->i_ino;
		__entry->lease = lease;
		__entry->offset = offset;
		__entry->length = length;
	),
	TP_printk("dev %d:%d ino %llu lease %llu policy %s offset %llu length %llu",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino, __entry->lease,
		  pinlease_show_policy(__entry->policy), __entry->offset, __entry->length)
);

#define DEFINE_LEASE_EVENT(name)					\
DEFINE_EVENT(pinlease_lease, name,					\
	TP_PROTO(struct inode *inode, u64 lease, u32 policy, u64 offset, u64 length), \
	TP_ARGS(inode, lease, policy, offset, length))

DEFINE_LEASE_EVENT(lease_acquire);
DEFINE_LEASE_EVENT(lease_shrink);
DEFINE_LEASE_EVENT(lease_answer);
DEFINE_LEASE_EVENT(lease_withdraw);
DEFINE_LEASE_EVENT(lease_release);

/* A breaker, which is the current task, meets a lease. */
DECLARE_EVENT_CLASS(pinlease_break,
	TP_PROTO(struct inode *inode, u64 lease, u32 policy, struct pid *holder,
		 const struct pinlease_breaker *breaker),
	TP_ARGS(inode, lease, policy, holder, breaker),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u32, policy)
		__field(u64, ino)
		__field(u64, lease)
		__field(u64, breaker)
		__field(u64, offset)
		__field(u64, length)
		__field(u32, operation)
		__field(pid_t, holder)
		__array(char, holder_comm, TASK_COMM_LEN)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->policy = policy;
		__entry->ino = inode->i_ino;
		__entry->lease = lease;
		__entry->breaker = breaker->id;
		__entry->offset = breaker->offset;
		__entry->length = breaker->length;
		__entry->operation = breaker->operation;
		__entry->holder = pid_nr(holder);
		memset(__entry->holder_comm, 0, TASK_COMM_LEN);
		pinlease_process_comm(holder, __entry->holder_comm);
	),
	/* The name comes last, as it may have anything in it. */
	TP_printk("dev %d:%d ino %llu lease %llu policy %s breaker %llu operation %s "
		  "offset %llu length %llu holder %d holder_comm %s",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino, __entry->lease,
		  pinlease_show_policy(__entry->policy), __entry->breaker,
		  pinlease_show_operation(__entry->operation), __entry->offset, __entry->length,
		  __entry->holder, __entry->holder_comm)
);

DEFINE_EVENT(pinlease_break, lease_break,
	TP_PROTO(struct inode *inode, u64 lease, u32 policy, struct pid *holder,
		 const struct pinlease_breaker *breaker),
	TP_ARGS(inode, lease, policy, holder, breaker));

DEFINE_EVENT(pinlease_break, lease_refuse,
	TP_PROTO(struct inode *inode, u64 lease, u32 policy, struct pid *holder,
		 const struct pinlease_breaker *breaker),
	TP_ARGS(inode, lease, policy, holder, breaker));

TRACE_EVENT(break_done,
	TP_PROTO(struct inode *inode, const struct pinlease_breaker *breaker, u32 outcome,
		 u64 waited_ns),
	TP_ARGS(inode, breaker, outcome, waited_ns),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u32, outcome)
		__field(u64, ino)
		__field(u64, breaker)
		__field(u64, offset)
		__field(u64, length)
		__field(u64, waited_ns)
		__field(u32, operation)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->outcome = outcome;
		__entry->ino = inode->i_ino;
		__entry->breaker = breaker->id;
		__entry->offset = breaker->offset;
		__entry->length = breaker->length;
		__entry->waited_ns = waited_ns;
		__entry->operation = breaker->operation;
	),
	TP_printk("dev %d:%d ino %llu breaker %llu operation %s offset %llu length %llu outcome %s waited_ns %llu",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino, __entry->breaker,
		  pinlease_show_operation(__entry->operation), __entry->offset, __entry->length,
		  pinlease_show_outcome(__entry->outcome), __entry->waited_ns)
);

DECLARE_EVENT_CLASS(pinlease_pin,
	TP_PROTO(struct inode *inode, u64 lease, u64 pin, u64 offset, u64 length),
	TP_ARGS(inode, lease, pin, offset, length),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(u64, lease)
		__field(u64, pin)
		__field(u64, offset)
		__field(u64, length)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->lease = lease;
		__entry->pin = pin;
		__entry->offset = offset;
		__entry->length = length;
	),
	TP_printk("dev %d:%d ino %llu lease %llu pin %llu offset %llu length %llu",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino, __entry->lease,
		  __entry->pin, __entry->offset, __entry->length)
);

DEFINE_EVENT(pinlease_pin, pin,
	TP_PROTO(struct inode *inode, u64 lease, u64 pin, u64 offset, u64 length),
	TP_ARGS(inode, lease, pin, offset, length));

DEFINE_EVENT(pinlease_pin, unpin,
	TP_PROTO(struct inode *inode, u64 lease, u64 pin, u64 offset, u64 length),
	TP_ARGS(inode, lease, pin, offset, length));

TRACE_EVENT(grant,
	TP_PROTO(struct inode *inode, bool granted, u64 offset, u64 length),
	TP_ARGS(inode, granted, offset, length),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u32, granted)
		__field(u64, ino)
		__field(u64, offset)
		__field(u64, length)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->granted = granted;
		__entry->ino = inode->i_ino;
		__entry->offset = offset;
		__entry->length = length;
	),
	TP_printk("dev %d:%d ino %llu granted %u offset %llu length %llu",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino, __entry->granted,
		  __entry->offset, __entry->length)
);

/* result: how many page table entries became read-only */
TRACE_EVENT(mkclean,
	TP_PROTO(struct inode *inode, pgoff_t index, unsigned long pages, int result),
	TP_ARGS(inode, index, pages, result),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(int, result)
		__field(u64, ino)
		__field(pgoff_t, index)
		__field(unsigned long, pages)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->result = result;
		__entry->ino = inode->i_ino;
		__entry->index = index;
		__entry->pages = pages;
	),
	TP_printk("dev %d:%d ino %llu index %lu pages %lu result %d",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->index, __entry->pages, __entry->result)
);

/* result: 0 or a negative error number */
TRACE_EVENT(rearm,
	TP_PROTO(struct inode *inode, u64 lease, pgoff_t index, unsigned long pages, int result),
	TP_ARGS(inode, lease, index, pages, result),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(int, result)
		__field(u64, ino)
		__field(u64, lease)
		__field(pgoff_t, index)
		__field(unsigned long, pages)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->result = result;
		__entry->ino = inode->i_ino;
		__entry->lease = lease;
		__entry->index = index;
		__entry->pages = pages;
	),
	TP_printk("dev %d:%d ino %llu lease %llu index %lu pages %lu result %d",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino, __entry->lease,
		  __entry->index, __entry->pages, __entry->result)
);

TRACE_EVENT(snapshot,
	TP_PROTO(const struct pinlease_snapshot *snapshot),
	TP_ARGS(snapshot),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u32, pages)
		__field(u64, ino)
		__field(u64, sector)
		__field(u32, copied)
		__field(u64, bytes)
	),
	TP_fast_assign(
		__entry->dev = snapshot->dev;
		__entry->pages = snapshot->pages;
		__entry->ino = snapshot->ino;
		__entry->sector = snapshot->sector;
		__entry->copied = snapshot->copied;
		__entry->bytes = snapshot->bytes;
	),
	TP_printk("dev %d:%d ino %llu sector %llu pages %u copied %u bytes %llu",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->sector, __entry->pages, __entry->copied, __entry->bytes)
);

TRACE_EVENT(snapshot_done,
	TP_PROTO(const struct pinlease_snapshot *snapshot, bool failed, u64 took_ns),
	TP_ARGS(snapshot, failed, took_ns),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u32, failed)
		__field(u64, ino)
		__field(u64, sector)
		__field(u64, bytes)
		__field(u64, took_ns)
	),
	TP_fast_assign(
		__entry->dev = snapshot->dev;
		__entry->failed = failed;
		__entry->ino = snapshot->ino;
		__entry->sector = snapshot->sector;
		__entry->bytes = snapshot->bytes;
		__entry->took_ns = took_ns;
	),
	TP_printk("dev %d:%d ino %llu sector %llu bytes %llu failed %u took_ns %llu",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->sector, __entry->bytes, __entry->failed, __entry->took_ns)
);

/* A function is redirected; name: the hook's. */
DECLARE_EVENT_CLASS(pinlease_hook,
	TP_PROTO(const char *name, size_t length),
	TP_ARGS(name, length),
	TP_STRUCT__entry(
		__string_len(name, name, length)
	),
	TP_fast_assign(
		__assign_str(name);
	),
	TP_printk("name %s", __get_str(name))
);

DEFINE_EVENT(pinlease_hook, hook_install,
	TP_PROTO(const char *name, size_t length),
	TP_ARGS(name, length));

DEFINE_EVENT(pinlease_hook, hook_remove,
	TP_PROTO(const char *name, size_t length),
	TP_ARGS(name, length));

#endif

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
