// SPDX-License-Identifier: GPL-2.0
#include "helpers.h"
#define CREATE_TRACE_POINTS
#include "trace.h"

void pinlease_trace_lease_acquire(struct inode *inode, loff_t offset, loff_t length, u32 policy)
{
	trace_lease_acquire(inode, policy, offset, length);
}

void pinlease_trace_lease_release(struct inode *inode, loff_t offset, loff_t length)
{
	trace_lease_release(inode, 0, offset, length);
}

void pinlease_trace_grant(struct inode *inode, u64 id, loff_t offset, loff_t length)
{
	trace_grant(inode, id, offset, length);
}

void pinlease_trace_pin(struct inode *inode, u64 id, loff_t offset, loff_t length)
{
	trace_pin(inode, id, offset, length);
}

void pinlease_trace_unpin(struct inode *inode, u64 id, loff_t offset, loff_t length)
{
	trace_unpin(inode, id, offset, length);
}

void pinlease_trace_mkclean(struct inode *inode, pgoff_t index, unsigned long pages, int cleaned)
{
	trace_mkclean(inode, index, pages, cleaned);
}

void pinlease_trace_snapshot(struct inode *inode, sector_t sector, unsigned int pages,
			     unsigned int copied)
{
	trace_snapshot(inode, sector, pages, copied);
}

void pinlease_trace_rearm(struct inode *inode, pgoff_t index, unsigned long pages, int error)
{
	trace_rearm(inode, index, pages, error);
}
