// SPDX-License-Identifier: GPL-2.0
/*
 * Receives frames by AF_XDP into FILE, or into memory of its own: a consumer of
 * long-term pins for the tests, as no program in Debian lets one choose the
 * memory. Knows nothing of leases.
 *
 * Each page is a chunk of the UMEM; frames go to one after the other. Prints
 * "registered" when the kernel has taken the memory, "received" after the first
 * frame, and ends with its standard input.
 *
 * Usage: af-xdp INTERFACE [FILE]
 */
#define _GNU_SOURCE
#include <err.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>

#include "memory.h"

/* <net/if.h> does not get on with the kernel's headers. */
unsigned int if_nametoindex(const char *name);

#define CHUNK 4096
#define OWN_PAGES 16
/* Descriptors in a ring. */
#define RING 256

struct ring {
	uint32_t *producer, *consumer;
	void *descriptors;
};

static void set(int xsk, int option, const char *name, const void *value, size_t size)
{
	if (setsockopt(xsk, SOL_XDP, option, value, size))
		err(1, "%s", name);
}

static struct ring map_ring(int xsk, const struct xdp_ring_offset *offset,
			    size_t descriptor, uint64_t page_offset)
{
	uint8_t *ring = mmap(NULL, offset->desc + RING * descriptor,
			     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			     xsk, page_offset);

	if (ring == MAP_FAILED)
		err(1, "mmap of a ring");
	return (struct ring){
		.producer = (uint32_t *)(ring + offset->producer),
		.consumer = (uint32_t *)(ring + offset->consumer),
		.descriptors = ring + offset->desc,
	};
}

static int bpf(int command, union bpf_attr *attr, const char *name)
{
	int fd = syscall(SYS_bpf, command, attr, sizeof(*attr));

	if (fd < 0)
		err(1, "%s", name);
	return fd;
}

/* Has all frames of the interface's first queue go to the socket. */
static void redirect(int xsk, unsigned int interface)
{
	union bpf_attr map = {
		.map_type = BPF_MAP_TYPE_XSKMAP, .key_size = 4, .value_size = 4, .max_entries = 1,
	};
	int sockets = bpf(BPF_MAP_CREATE, &map, "BPF_MAP_CREATE");
	uint32_t queue = 0;
	union bpf_attr element = {
		.map_fd = sockets, .key = (uintptr_t)&queue, .value = (uintptr_t)&xsk,
	};
	/* return bpf_redirect_map(&sockets, context->rx_queue_index, XDP_PASS); */
	const struct bpf_insn code[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 2, .src_reg = 1,
		  .off = __builtin_offsetof(struct xdp_md, rx_queue_index) },
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 1,
		  .src_reg = BPF_PSEUDO_MAP_FD, .imm = sockets },
		{ 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr program = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.insn_cnt = sizeof(code) / sizeof(*code),
		.insns = (uintptr_t)code,
		.license = (uintptr_t)"GPL",
	};
	union bpf_attr link = { 0 };

	bpf(BPF_MAP_UPDATE_ELEM, &element, "BPF_MAP_UPDATE_ELEM");
	link.link_create.prog_fd = bpf(BPF_PROG_LOAD, &program, "BPF_PROG_LOAD");
	link.link_create.target_ifindex = interface;
	link.link_create.attach_type = BPF_XDP;
	link.link_create.flags = XDP_FLAGS_SKB_MODE;
	/* Lasts as long as this process. */
	bpf(BPF_LINK_CREATE, &link, "BPF_LINK_CREATE");
}

static void give(struct ring *fill, uint64_t chunk)
{
	uint32_t at = *fill->producer;

	((uint64_t *)fill->descriptors)[at % RING] = chunk;
	__atomic_store_n(fill->producer, at + 1, __ATOMIC_RELEASE);
}

/* Gives the chunks of received frames back; returns how many there were. */
static unsigned int recycle(struct ring *received, struct ring *fill)
{
	uint32_t end = __atomic_load_n(received->producer, __ATOMIC_ACQUIRE);
	uint32_t at = *received->consumer, first = at;

	for (; at != end; at++) {
		const struct xdp_desc *frame =
			&((struct xdp_desc *)received->descriptors)[at % RING];

		give(fill, frame->addr & ~(uint64_t)(CHUNK - 1));
	}
	__atomic_store_n(received->consumer, at, __ATOMIC_RELEASE);
	return at - first;
}

int main(int argc, char **argv)
{
	struct xdp_umem_reg umem = { .chunk_size = CHUNK };
	struct sockaddr_xdp address = { .sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY };
	struct xdp_mmap_offsets offsets;
	socklen_t length = sizeof(offsets);
	struct ring fill, received;
	int xsk, entries = RING, told = 0;
	size_t size = OWN_PAGES * CHUNK;

	if (argc != 2 && argc != 3)
		errx(2, "usage: af-xdp INTERFACE [FILE]");
	address.sxdp_ifindex = if_nametoindex(argv[1]);
	if (!address.sxdp_ifindex)
		err(1, "%s", argv[1]);
	umem.addr = (uintptr_t)map_memory(argv[2], &size);
	if (size / CHUNK > RING)
		errx(1, "too long for the ring");
	umem.len = size;
	xsk = socket(AF_XDP, SOCK_RAW, 0);
	if (xsk < 0)
		err(1, "socket");
	set(xsk, XDP_UMEM_REG, "XDP_UMEM_REG", &umem, sizeof(umem));
	set(xsk, XDP_UMEM_FILL_RING, "XDP_UMEM_FILL_RING", &entries, sizeof(entries));
	set(xsk, XDP_UMEM_COMPLETION_RING, "XDP_UMEM_COMPLETION_RING", &entries, sizeof(entries));
	set(xsk, XDP_RX_RING, "XDP_RX_RING", &entries, sizeof(entries));
	if (getsockopt(xsk, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &length))
		err(1, "XDP_MMAP_OFFSETS");
	fill = map_ring(xsk, &offsets.fr, sizeof(uint64_t), XDP_UMEM_PGOFF_FILL_RING);
	received = map_ring(xsk, &offsets.rx, sizeof(struct xdp_desc), XDP_PGOFF_RX_RING);
	for (uint64_t chunk = 0; chunk < size; chunk += CHUNK)
		give(&fill, chunk);
	if (bind(xsk, (struct sockaddr *)&address, sizeof(address)))
		err(1, "bind");
	redirect(xsk, address.sxdp_ifindex);
	setlinebuf(stdout);
	puts("registered");

	for (;;) {
		struct pollfd fds[] = {
			{ .fd = xsk, .events = POLLIN },
			{ .fd = STDIN_FILENO, .events = POLLIN },
		};

		if (poll(fds, 2, -1) < 0)
			err(1, "poll");
		if (recycle(&received, &fill) && !told) {
			puts("received");
			told = 1;
		}
		if (fds[1].revents)
			return 0;
	}
}
