/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pinlease

#if !defined(PINLEASE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define PINLEASE_TRACE_H

#include <linux/fs.h>
#include <linux/tracepoint.h>

DECLARE_EVENT_CLASS(pinlease_range,
	TP_PROTO(struct inode *inode, u64 id, loff_t offset, loff_t length),
	TP_ARGS(inode, id, offset, length),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(u64, id)
		__field(loff_t, offset)
		__field(loff_t, length)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->id = id;
		__entry->offset = offset;
		__entry->length = length;
	),
	TP_printk("dev %d:%d ino %llu id %llu offset %lld length %lld",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->id, __entry->offset, __entry->length)
);

DEFINE_EVENT(pinlease_range, pin,
	TP_PROTO(struct inode *inode, u64 id, loff_t offset, loff_t length),
	TP_ARGS(inode, id, offset, length));

DEFINE_EVENT(pinlease_range, unpin,
	TP_PROTO(struct inode *inode, u64 id, loff_t offset, loff_t length),
	TP_ARGS(inode, id, offset, length));

/* id is 1 when it was granted, 0 when it was refused */
DEFINE_EVENT(pinlease_range, grant,
	TP_PROTO(struct inode *inode, u64 id, loff_t offset, loff_t length),
	TP_ARGS(inode, id, offset, length));

/* id is the policy */
DEFINE_EVENT(pinlease_range, lease_acquire,
	TP_PROTO(struct inode *inode, u64 id, loff_t offset, loff_t length),
	TP_ARGS(inode, id, offset, length));

DEFINE_EVENT(pinlease_range, lease_release,
	TP_PROTO(struct inode *inode, u64 id, loff_t offset, loff_t length),
	TP_ARGS(inode, id, offset, length));

DECLARE_EVENT_CLASS(pinlease_folio,
	TP_PROTO(struct inode *inode, pgoff_t index, unsigned long pages, int result),
	TP_ARGS(inode, index, pages, result),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(pgoff_t, index)
		__field(unsigned long, pages)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->index = index;
		__entry->pages = pages;
		__entry->result = result;
	),
	TP_printk("dev %d:%d ino %llu index %lu pages %lu result %d",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->index, __entry->pages, __entry->result)
);

/* result: how many page table entries became read-only */
DEFINE_EVENT(pinlease_folio, mkclean,
	TP_PROTO(struct inode *inode, pgoff_t index, unsigned long pages, int result),
	TP_ARGS(inode, index, pages, result));

/* result: 0 or a negative error number */
DEFINE_EVENT(pinlease_folio, rearm,
	TP_PROTO(struct inode *inode, pgoff_t index, unsigned long pages, int result),
	TP_ARGS(inode, index, pages, result));

TRACE_EVENT(snapshot,
	TP_PROTO(struct inode *inode, sector_t sector, unsigned int pages, unsigned int copied),
	TP_ARGS(inode, sector, pages, copied),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(sector_t, sector)
		__field(unsigned int, pages)
		__field(unsigned int, copied)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->sector = sector;
		__entry->pages = pages;
		__entry->copied = copied;
	),
	TP_printk("dev %d:%d ino %llu sector %llu pages %u copied %u",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  (unsigned long long)__entry->sector, __entry->pages, __entry->copied)
);

#endif

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
