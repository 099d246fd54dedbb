/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The memory that a consumer gives to its device.
 */
#ifndef CONSUMERS_MEMORY_H
#define CONSUMERS_MEMORY_H

#include <err.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* All of the file, shared; without one, *size bytes of its own. */
static void *map_memory(const char *path, size_t *size)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS, fd = -1;
	struct stat stat;
	void *memory;

	if (path) {
		fd = open(path, O_RDWR);
		if (fd < 0 || fstat(fd, &stat))
			err(1, "%s", path);
		*size = stat.st_size;
		flags = MAP_SHARED;
	}
	memory = mmap(NULL, *size, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (memory == MAP_FAILED)
		err(1, "mmap");
	return memory;
}

#endif
