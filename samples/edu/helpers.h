/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is inline or a macro in C.
 */
#ifndef _SAMPLES_EDU_HELPERS_H
#define _SAMPLES_EDU_HELPERS_H

#include <linux/types.h>

struct device;
struct page;

dma_addr_t edu_map_page(struct device *dev, struct page *page);
void edu_unmap_page(struct device *dev, dma_addr_t address);
void edu_sync_page(struct device *dev, dma_addr_t address);
bool edu_reaches_memory(struct device *dev);
void edu_flush_iommu(struct device *dev);

#endif /* _SAMPLES_EDU_HELPERS_H */
