// SPDX-License-Identifier: GPL-2.0
#include <linux/bio.h>
#include <linux/bio-integrity.h>
#include <linux/blkdev.h>
#include <linux/mempool.h>
#include <linux/sched.h>
#include "helpers.h"

void *pinlease_mempool_alloc(struct mempool *pool, gfp_t gfp)
{
	return mempool_alloc(pool, gfp);
}

/*
 * A bio with pages to write that a filesystem's writeback may have built. Direct
 * I/O has REQ_SYNC | REQ_IDLE, by which blk-wbt tells it, too.
 */
bool pinlease_bio_may_be_writeback(struct bio *bio)
{
	const blk_opf_t direct = REQ_SYNC | REQ_IDLE;

	return op_is_write(bio_op(bio)) && bio_has_data(bio) &&
	       (bio->bi_opf & direct) != direct &&
	       !bio_flagged(bio, BIO_PAGE_PINNED) && !bio_flagged(bio, BIO_CLONED) &&
	       !current->bio_list;
}

/* Whether somebody has attached protection information (T10-PI). */
bool pinlease_bio_has_integrity(struct bio *bio)
{
	return bio_integrity(bio);
}
