// SPDX-License-Identifier: GPL-2.0
#include <linux/dma-resv.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>
#include "helpers.h"

void pinlease_dma_resv_lock(struct dma_resv *resv)
{
	/* Without an acquire context, so that it cannot fail. */
	dma_resv_lock(resv, NULL);
}

void pinlease_dma_resv_unlock(struct dma_resv *resv)
{
	dma_resv_unlock(resv);
}

void *pinlease_vmap(struct page **pages, unsigned int count)
{
	return vmap(pages, count, VM_MAP, PAGE_KERNEL);
}

unsigned long pinlease_folio_pfn(struct folio *folio)
{
	return folio_pfn(folio);
}

/* A mapping whose pages only its fault handler knows; the caller has the mmap lock for writing. */
void pinlease_vma_set_pfnmap(struct vm_area_struct *vma)
{
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
}
