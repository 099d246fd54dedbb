// SPDX-License-Identifier: GPL-2.0
#include "helpers.h"
#define CREATE_TRACE_POINTS
#include "trace.h"

#define LEASE_EVENT(name)						\
void pinlease_trace_##name(struct inode *inode, u64 lease, u32 policy, u64 offset, u64 length) \
{									\
	trace_##name(inode, lease, policy, offset, length);		\
}

LEASE_EVENT(lease_acquire)
LEASE_EVENT(lease_shrink)
LEASE_EVENT(lease_answer)
LEASE_EVENT(lease_withdraw)
LEASE_EVENT(lease_release)

void pinlease_trace_lease_break(struct inode *inode, u64 lease, u32 policy, struct pid *holder,
				const struct pinlease_breaker *breaker)
{
	trace_lease_break(inode, lease, policy, holder, breaker);
}

void pinlease_trace_lease_refuse(struct inode *inode, u64 lease, u32 policy, struct pid *holder,
				 const struct pinlease_breaker *breaker)
{
	trace_lease_refuse(inode, lease, policy, holder, breaker);
}

void pinlease_trace_break_done(struct inode *inode, const struct pinlease_breaker *breaker,
			       u32 outcome, u64 waited_ns)
{
	trace_break_done(inode, breaker, outcome, waited_ns);
}

void pinlease_trace_grant(struct inode *inode, bool granted, u64 offset, u64 length)
{
	trace_grant(inode, granted, offset, length);
}

void pinlease_trace_pin(struct inode *inode, u64 lease, u64 pin, u64 offset, u64 length)
{
	trace_pin(inode, lease, pin, offset, length);
}

void pinlease_trace_unpin(struct inode *inode, u64 lease, u64 pin, u64 offset, u64 length)
{
	trace_unpin(inode, lease, pin, offset, length);
}

void pinlease_trace_mkclean(struct inode *inode, pgoff_t index, unsigned long pages, int cleaned)
{
	trace_mkclean(inode, index, pages, cleaned);
}

void pinlease_trace_rearm(struct inode *inode, u64 lease, pgoff_t index, unsigned long pages,
			  int error)
{
	trace_rearm(inode, lease, index, pages, error);
}

void pinlease_trace_snapshot(const struct pinlease_snapshot *snapshot)
{
	trace_snapshot(snapshot);
}

void pinlease_trace_snapshot_done(const struct pinlease_snapshot *snapshot, bool failed,
				  u64 took_ns)
{
	trace_snapshot_done(snapshot, failed, took_ns);
}

void pinlease_trace_hook_install(const char *name, size_t length)
{
	trace_hook_install(name, length);
}

void pinlease_trace_hook_remove(const char *name, size_t length)
{
	trace_hook_remove(name, length);
}
