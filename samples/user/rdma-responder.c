// SPDX-License-Identifier: GPL-2.0
/*
 * Lets another machine write FILE's own memory by RDMA, and makes durable what
 * it wrote, at its request, while the memory stays registered. Told that
 * somebody needs the file, the program gives it back.
 *
 * Usage: rdma-responder FILE PORT
 */
#define _GNU_SOURCE
#include <endian.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rdma/rdma_cma.h>
#include <rdma/rdma_verbs.h>
#include <linux/pinlease.h>

#include "rdma-region.h"
#include "rdma-wait.h"

static struct rdma_message message;
static struct rdma_cm_id *writer;
static struct ibv_mr *messages;
static int lease, file;

static void acquire_lease(const char *path)
{
	struct pinlease_acquire acquire = {
		.size = sizeof(acquire),
		.flags = PINLEASE_ACQUIRE_CLOEXEC | PINLEASE_ACQUIRE_GRANT,
		.policy = PINLEASE_POLICY_KILL,
		.grace_ms = 5000,
	};
	int device = open("/dev/pinlease", O_RDWR | O_CLOEXEC);

	if (device < 0)
		err(1, "/dev/pinlease");
	file = open(path, O_RDWR | O_CLOEXEC);
	if (file < 0)
		err(1, "%s", path);
	acquire.fd = file;
	lease = ioctl(device, PINLEASE_IOC_ACQUIRE, &acquire);
	if (lease < 0)
		err(1, "ACQUIRE");
	if (fcntl(lease, F_SETFL, O_NONBLOCK))
		err(1, "fcntl");
	close(device);
}

/* Waits for a writer, who then has a queue pair. */
static void wait_for_writer(char *port)
{
	struct rdma_addrinfo hints = { .ai_flags = RAI_PASSIVE, .ai_port_space = RDMA_PS_TCP };
	struct ibv_qp_init_attr attributes = {
		.cap = { .max_send_wr = 1, .max_recv_wr = 1, .max_send_sge = 1, .max_recv_sge = 1 },
		.sq_sig_all = 1,
	};
	struct rdma_addrinfo *address;
	struct rdma_cm_id *listener;

	if (rdma_getaddrinfo(NULL, port, &hints, &address))
		err(1, "port %s", port);
	if (rdma_create_ep(&listener, address, NULL, &attributes) || rdma_listen(listener, 1))
		err(1, "listen");
	rdma_freeaddrinfo(address);
	printf("listening\n");
	if (rdma_get_request(listener, &writer))
		err(1, "request");
}

static void accept_writer(struct ibv_mr *memory)
{
	struct rdma_region region = {
		.address = htobe64((uintptr_t)memory->addr),
		.length = htobe64(memory->length),
		.key = htobe32(memory->rkey),
	};
	struct rdma_conn_param parameters = {
		.private_data = &region,
		.private_data_len = sizeof(region),
		.responder_resources = 1,
		.rnr_retry_count = 7,
	};

	messages = rdma_reg_msgs(writer, &message, sizeof(message));
	if (!messages || rdma_post_recv(writer, NULL, &message, sizeof(message), messages))
		err(1, "receive");
	if (rdma_accept(writer, &parameters))
		err(1, "accept");
}

static int somebody_needs_it(void)
{
	struct pinlease_event event;

	while (read(lease, &event, sizeof(event)) > 0) {
		if (event.kind != PINLEASE_EVENT_BREAK)
			continue;
		printf("%.16s (%d) wants %llu,%llu\n", event.comm, event.pid,
		       event.offset, event.length);
		return 1;
	}
	if (errno != EAGAIN)
		err(1, "read");
	return 0;
}

/* Waits for the next message; returns 0 when there will be none. */
static int next_message(void)
{
	struct ibv_wc completion;

	for (;;) {
		switch (rdma_wait(writer, writer->recv_cq, writer->recv_cq_channel, lease,
				  &completion)) {
		case RDMA_DONE:
			return completion.status == IBV_WC_SUCCESS;
		case RDMA_GONE:
			return 0;
		case RDMA_READABLE:
			if (somebody_needs_it())
				return 0;
		}
	}
}

static void serve(void)
{
	struct ibv_wc completion;

	while (next_message()) {
		/* The kernel saw no write to the file, but this finds what came. */
		if (fdatasync(file))
			err(1, "fdatasync");
		printf("%llu bytes are durable\n", (unsigned long long)be64toh(message.bytes));
		/* The same message is the answer; first make room for the next one. */
		if (rdma_post_send(writer, NULL, &message, sizeof(message), messages, 0) ||
		    rdma_wait(writer, writer->send_cq, writer->send_cq_channel, -1, &completion) ||
		    rdma_post_recv(writer, NULL, &message, sizeof(message), messages))
			return;
	}
}

int main(int argc, char **argv)
{
	struct ibv_mr *region;
	struct stat status;
	void *memory;

	if (argc != 3)
		errx(2, "usage: rdma-responder FILE PORT");
	setlinebuf(stdout);
	acquire_lease(argv[1]);
	/* No longer than the file: the mapping must be leased as a whole. */
	if (fstat(file, &status))
		err(1, "fstat");
	memory = mmap(NULL, status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (memory == MAP_FAILED)
		err(1, "mmap");

	wait_for_writer(argv[2]);
	/* Without a lease: EFAULT. */
	region = ibv_reg_mr(writer->pd, memory, status.st_size,
			    IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE);
	if (!region)
		err(1, "register");
	accept_writer(region);
	serve();

	/*
	 * Whoever waits goes on when the lease has ended and nothing is registered.
	 * Not rdma_disconnect(), which waits for the writer; he is told at the end.
	 */
	rdma_destroy_qp(writer);
	if (ibv_dereg_mr(region))
		err(1, "deregister");
	close(lease);
	return 0;
}
