// SPDX-License-Identifier: GPL-2.0
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include "helpers.h"

struct folio *pinlease_page_folio(struct page *page)
{
	return page_folio(page);
}

bool pinlease_folio_maybe_dma_pinned(struct folio *folio)
{
	return folio_maybe_dma_pinned(folio);
}

bool pinlease_folio_test_writeback(struct folio *folio)
{
	return folio_test_writeback(folio);
}

/* The mapping of a page cache folio of a file; NULL for anonymous memory and slab. */
struct address_space *pinlease_folio_file_mapping(struct folio *folio)
{
	if (folio_test_slab(folio) || folio_test_anon(folio) || folio_test_swapcache(folio))
		return NULL;
	return READ_ONCE(folio->mapping);
}

unsigned long pinlease_folio_nr_pages(struct folio *folio)
{
	return folio_nr_pages(folio);
}

unsigned long pinlease_folio_page_idx(struct folio *folio, struct page *page)
{
	return folio_page_idx(folio, page);
}

bool pinlease_mapping_stable_writes(const struct address_space *mapping)
{
	return mapping_stable_writes(mapping);
}

void pinlease_mapping_set_stable_writes(struct address_space *mapping)
{
	mapping_set_stable_writes(mapping);
}

void pinlease_mapping_clear_stable_writes(struct address_space *mapping)
{
	mapping_clear_stable_writes(mapping);
}

void pinlease_mapping_set_error(struct address_space *mapping, int error)
{
	mapping_set_error(mapping, error);
}

void pinlease_memcpy_page(struct page *to, struct page *from, size_t offset, size_t len)
{
	memcpy_page(to, offset, from, offset, len);
}

/*
 * As io_uring does it: user->locked_vm against RLIMIT_MEMLOCK, CAP_IPC_LOCK
 * exempts; mm->pinned_vm shows it. By the user and not by the address space,
 * because a pin belongs to a descriptor, which outlives that.
 */
int pinlease_charge_pinned(struct user_struct *user, struct mm_struct *mm, unsigned long pages)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;

	if (atomic_long_add_return(pages, &user->locked_vm) > limit && !capable(CAP_IPC_LOCK)) {
		atomic_long_sub(pages, &user->locked_vm);
		return -ENOMEM;
	}
	atomic64_add(pages, &mm->pinned_vm);
	return 0;
}

void pinlease_uncharge_pinned(struct user_struct *user, struct mm_struct *mm, unsigned long pages)
{
	atomic64_sub(pages, &mm->pinned_vm);
	atomic_long_sub(pages, &user->locked_vm);
}

struct user_struct *pinlease_get_current_user(void)
{
	return get_uid(current_user());
}

void pinlease_put_user(struct user_struct *user)
{
	free_uid(user);
}

void pinlease_sg_set_folio_part(struct scatterlist *sg, struct folio *folio, size_t length,
				size_t offset)
{
	sg_set_folio(sg, folio, length, offset);
}

struct scatterlist *pinlease_sg_next(struct scatterlist *sg)
{
	return sg_next(sg);
}

void pinlease_folio_clear_dropbehind(struct folio *folio)
{
	folio_clear_dropbehind(folio);
}
