// SPDX-License-Identifier: GPL-2.0
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/folio_batch.h>
#include <linux/scatterlist.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include "helpers.h"

struct folio *pinlease_page_folio(struct page *page)
{
	return page_folio(page);
}

/* Whether a folio, which is pinned, has these pages of that mapping. */
static bool folio_holds(const struct folio *folio, const struct address_space *mapping,
			unsigned long first, unsigned long pages)
{
	return READ_ONCE(folio->mapping) == mapping && folio->index <= first &&
	       first + pages <= folio->index + folio_nr_pages(folio);
}

/*
 * How many of the pages, from the first on, are of one folio, which is returned. They are pinned,
 * and should be those of @mapping from @index on; 0 if they are not.
 */
unsigned long pinlease_folio_run(struct page *const *pages, unsigned long count,
				 const struct address_space *mapping, unsigned long index,
				 struct folio **folio)
{
	struct folio *first = page_folio(pages[0]);
	unsigned long i = 1;

	while (i < count && page_folio(pages[i]) == first)
		i++;
	*folio = first;
	return folio_holds(first, mapping, index, i) ? i : 0;
}

/* How many runs the pages make. */
unsigned long pinlease_count_runs(struct page *const *pages, unsigned long count)
{
	struct folio *last = NULL;
	unsigned long i, runs = 0;

	for (i = 0; i < count; i++) {
		struct folio *folio = page_folio(pages[i]);

		runs += folio != last;
		last = folio;
	}
	return runs;
}

/* Whether the folios of all runs still have these pages of that mapping. */
bool pinlease_runs_hold(const struct pinlease_run *runs, unsigned long count,
			const struct address_space *mapping, unsigned long first)
{
	unsigned long i;

	for (i = 0; i < count; i++)
		if (!folio_holds(runs[i].folio, mapping, first + runs[i].delta, runs[i].pages))
			return false;
	return true;
}

/*
 * Whether pages that were pinned may stay so for long: folio_is_longterm_pinnable() by the zone,
 * since what tells CMA from the rest of its zone is not exported.  Never wrong with "yes", but for
 * a block that is being isolated just now: whoever isolates it meets a pin, as if it had come
 * earlier.
 */
bool pinlease_pages_may_stay(struct page *const *pages, unsigned long count)
{
	unsigned long i;
	int known = -1;

	for (i = 0; i < count; i++) {
		int zone = page_zone_id(pages[i]);

		if (zone == known)
			continue;
		if (is_zone_movable_page(pages[i]) || is_zone_device_page(pages[i]))
			return false;
#ifdef CONFIG_CMA
		if (page_zone(pages[i])->cma_pages)
			return false;
#endif
		known = zone;
	}
	return true;
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

struct page *pinlease_folio_page(struct folio *folio, unsigned long index)
{
	return folio_page(folio, index);
}

u32 pinlease_mapping_wb_err(const struct address_space *mapping)
{
	return READ_ONCE(mapping->wb_err);
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
	if (folio_test_dropbehind(folio))
		folio_clear_dropbehind(folio);
}

void pinlease_folio_get(struct folio *folio)
{
	folio_get(folio);
}

void pinlease_folio_put(struct folio *folio)
{
	folio_put(folio);
}

/*
 * Pages from @first to @last that are in pinned folios; with @any it is enough
 * to find one. May sleep.
 */
unsigned long pinlease_pinned_pages(struct address_space *mapping, unsigned long first,
				    unsigned long last, bool any)
{
	unsigned long pinned = 0, next = first;
	struct folio_batch batch;
	unsigned int i;

	folio_batch_init(&batch);
	while (!(any && pinned) && filemap_get_folios(mapping, &next, last, &batch)) {
		for (i = 0; i < folio_batch_count(&batch); i++) {
			struct folio *folio = batch.folios[i];

			if (folio_maybe_dma_pinned(folio))
				pinned += min(folio_next_index(folio) - 1, last) -
					  max(folio->index, first) + 1;
		}
		folios_put(&batch);
		cond_resched();
	}
	return pinned;
}

/* Whether the folio with page @index is pinned, and which pages it has. */
bool pinlease_pinned_folio_at(struct address_space *mapping, unsigned long index,
			      unsigned long *first, unsigned long *pages)
{
	struct folio *folio = filemap_get_folio(mapping, index);
	bool pinned;

	if (IS_ERR(folio))
		return false;
	pinned = folio_maybe_dma_pinned(folio);
	*first = folio->index;
	*pages = folio_nr_pages(folio);
	folio_put(folio);
	return pinned;
}

void pinlease_mmgrab(struct mm_struct *mm)
{
	mmgrab(mm);
}

void pinlease_mmdrop(struct mm_struct *mm)
{
	mmdrop(mm);
}

/* Whether no task uses it any more, nor will. */
bool pinlease_mm_is_gone(struct mm_struct *mm)
{
	return atomic_read(&mm->mm_users) == 0;
}

/* When nobody has the mmap lock, those who had it for reading before have given it back. */
bool pinlease_mm_has_readers(struct mm_struct *mm)
{
	/* No VMA is looked at or changed, so that its sequence count is not, either. */
	if (!down_write_trylock(&mm->mmap_lock))
		return true;
	up_write(&mm->mmap_lock);
	return false;
}

/* Whether it is the address space of that process. */
bool pinlease_mm_is_of(struct mm_struct *mm, struct pid *process)
{
	struct task_struct *owner;
	bool is;

	rcu_read_lock();
#ifdef CONFIG_MEMCG
	owner = rcu_dereference(mm->owner);
#else
	owner = current->mm == mm ? current : NULL;
#endif
	is = owner && task_tgid(owner) == process;
	rcu_read_unlock();
	return is;
}
