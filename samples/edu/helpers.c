// SPDX-License-Identifier: GPL-2.0
/*
 * What is inline or a macro in C.
 */
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include "helpers.h"

/* Returns 0, which is no address that the device would be given, if it cannot. */
dma_addr_t edu_map_page(struct device *dev, struct page *page)
{
	dma_addr_t address = dma_map_page(dev, page, 0, PAGE_SIZE, DMA_FROM_DEVICE);

	return dma_mapping_error(dev, address) ? 0 : address;
}

/*
 * Without a last sync: what was written was synced already, and what the CPU
 * wrote beside it since must not be overwritten from a bounce buffer.
 */
void edu_unmap_page(struct device *dev, dma_addr_t address)
{
	dma_unmap_page_attrs(dev, address, PAGE_SIZE, DMA_FROM_DEVICE, DMA_ATTR_SKIP_CPU_SYNC);
}

void edu_sync_page(struct device *dev, dma_addr_t address)
{
	dma_sync_single_for_cpu(dev, address, PAGE_SIZE, DMA_FROM_DEVICE);
}

/* Whether all of memory can be mapped: directly, by an IOMMU, or bounced. */
bool edu_reaches_memory(struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	if (domain && domain->type & __IOMMU_DOMAIN_PAGING)
		return true;
	return !dma_addressing_limited(dev) || dma_max_mapping_size(dev) != SIZE_MAX;
}

/*
 * A lazy IOMMU (the default) may use what was unmapped until its queue is
 * flushed, which is 10 ms later or more.  A strict one has forgotten it already.
 */
void edu_flush_iommu(struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	if (domain && domain->type == IOMMU_DOMAIN_DMA_FQ)
		iommu_flush_iotlb_all(domain);
}
