/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What rdma-responder and rdma-writer agree on.
 */
#ifndef RDMA_REGION_H
#define RDMA_REGION_H

#include <stdint.h>

/* The responder's private data when it accepts: where to write. Big endian. */
struct rdma_region {
	uint64_t address;
	uint64_t length;
	uint32_t key;
	uint32_t reserved;
};

/*
 * The writer ends a batch by a message that says how many bytes it has written
 * in all; the responder's answer says how many of them are durable. Big endian.
 */
struct rdma_message {
	uint64_t bytes;
};

#endif /* RDMA_REGION_H */
