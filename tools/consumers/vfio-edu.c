// SPDX-License-Identifier: GPL-2.0
/*
 * Drives QEMU's edu device by VFIO, behind an IOMMU: the device writes FILE, or
 * memory of this program, by DMA. A consumer of long-term pins for the tests;
 * knows nothing of leases.
 *
 * Prints "registered" when the kernel has taken the memory. For each generation
 * that it reads from standard input it has the device fill page P with the word
 * generation << 32 | P, then prints "received". Ends with standard input.
 *
 * Usage: vfio-edu PCI-ADDRESS [FILE]
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "memory.h"

#define PAGE 4096
#define OWN_PAGES 4

/* Addresses as the device sees them; it has 28 bits. */
#define MEMORY 0x1000000
#define SOURCE 0x800000

/* The device: registers, and its buffer of one page. */
#define DMA_SOURCE 0x80
#define DMA_TARGET 0x88
#define DMA_COUNT 0x90
#define DMA_COMMAND 0x98
#define DMA_START 1
#define DMA_TO_MEMORY 2
#define BUFFER 0x40000

static volatile uint8_t *registers;

static int vfio(int fd, unsigned long command, const char *name, void *argument)
{
	int result = ioctl(fd, command, argument);

	if (result < 0)
		err(1, "%s", name);
	return result;
}

/* The device's IOMMU group, in a container of its own. */
static int open_group(const char *address, int *container)
{
	char link[PATH_MAX], target[PATH_MAX] = "", path[PATH_MAX];
	int group;

	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s/iommu_group", address);
	if (readlink(link, target, sizeof(target) - 1) < 0)
		err(1, "%s", link);
	snprintf(path, sizeof(path), "/dev/vfio/%s", basename(target));
	group = open(path, O_RDWR);
	if (group < 0)
		err(1, "%s", path);
	*container = open("/dev/vfio/vfio", O_RDWR);
	if (*container < 0)
		err(1, "/dev/vfio/vfio");
	vfio(group, VFIO_GROUP_SET_CONTAINER, "VFIO_GROUP_SET_CONTAINER", container);
	vfio(*container, VFIO_SET_IOMMU, "VFIO_SET_IOMMU", (void *)VFIO_TYPE1v2_IOMMU);
	return group;
}

static void map_dma(int container, void *memory, size_t size, uint64_t iova)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.iova = iova,
		.size = size,
	};

	vfio(container, VFIO_IOMMU_MAP_DMA, "VFIO_IOMMU_MAP_DMA", &map);
}

static void open_device(int group, char *address)
{
	struct vfio_region_info bar = { .argsz = sizeof(bar), .index = VFIO_PCI_BAR0_REGION_INDEX };
	struct vfio_region_info config = { .argsz = sizeof(config), .index = VFIO_PCI_CONFIG_REGION_INDEX };
	uint16_t command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	int device = vfio(group, VFIO_GROUP_GET_DEVICE_FD, "VFIO_GROUP_GET_DEVICE_FD", address);

	vfio(device, VFIO_DEVICE_GET_REGION_INFO, "region of BAR 0", &bar);
	vfio(device, VFIO_DEVICE_GET_REGION_INFO, "region of the configuration", &config);
	if (pwrite(device, &command, sizeof(command), config.offset + PCI_COMMAND) != sizeof(command))
		err(1, "PCI command register");
	registers = mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED, device, bar.offset);
	if (registers == MAP_FAILED)
		err(1, "mmap of BAR 0");
}

static void write_register(unsigned int which, uint64_t value)
{
	*(volatile uint64_t *)(registers + which) = value;
}

static void dma(uint64_t source, uint64_t target, uint64_t command)
{
	write_register(DMA_SOURCE, source);
	write_register(DMA_TARGET, target);
	write_register(DMA_COUNT, PAGE);
	write_register(DMA_COMMAND, command | DMA_START);
	while (*(volatile uint64_t *)(registers + DMA_COMMAND) & DMA_START)
		usleep(1000);
}

int main(int argc, char **argv)
{
	unsigned long long generation;
	int container, group;
	uint64_t *source;
	size_t size = OWN_PAGES * PAGE;
	void *memory;

	if (argc != 2 && argc != 3)
		errx(2, "usage: vfio-edu PCI-ADDRESS [FILE]");
	memory = map_memory(argv[2], &size);
	source = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (source == MAP_FAILED)
		err(1, "mmap");
	group = open_group(argv[1], &container);
	map_dma(container, source, PAGE, SOURCE);
	map_dma(container, memory, size, MEMORY);
	open_device(group, argv[1]);
	setlinebuf(stdout);
	puts("registered");

	while (scanf("%llu", &generation) == 1) {
		for (uint64_t page = 0; page < size / PAGE; page++) {
			for (size_t word = 0; word < PAGE / sizeof(*source); word++)
				source[word] = generation << 32 | page;
			dma(SOURCE, BUFFER, 0);
			dma(BUFFER, MEMORY + page * PAGE, DMA_TO_MEMORY);
		}
		puts("received");
	}
	return 0;
}
