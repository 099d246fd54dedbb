// SPDX-License-Identifier: GPL-2.0
/*
 * Writes standard input into the memory of an rdma-responder, and waits until
 * that says that it is durable. Knows nothing of leases.
 *
 * Usage: rdma-writer HOST PORT
 */
#define _GNU_SOURCE
#include <endian.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rdma/rdma_cma.h>
#include <rdma/rdma_verbs.h>

#include "rdma-region.h"
#include "rdma-wait.h"

static struct rdma_cm_id *responder;
static struct rdma_region region;

static void connect_to(char *host, char *port)
{
	struct rdma_addrinfo hints = { .ai_port_space = RDMA_PS_TCP };
	struct ibv_qp_init_attr attributes = {
		.cap = { .max_send_wr = 2, .max_recv_wr = 1, .max_send_sge = 1, .max_recv_sge = 1 },
		.sq_sig_all = 1,
	};
	struct rdma_conn_param parameters = {
		.initiator_depth = 1, .retry_count = 7, .rnr_retry_count = 7,
	};
	struct rdma_addrinfo *address;

	if (rdma_getaddrinfo(host, port, &hints, &address))
		err(1, "%s, port %s", host, port);
	if (rdma_create_ep(&responder, address, NULL, &attributes))
		err(1, "endpoint");
	rdma_freeaddrinfo(address);
	if (rdma_connect(responder, &parameters))
		err(1, "connect");
	if (responder->event->param.conn.private_data_len < sizeof(region))
		errx(1, "the responder does not say where to write");
	memcpy(&region, responder->event->param.conn.private_data, sizeof(region));
}

static void complete(struct ibv_cq *queue, struct ibv_comp_channel *channel)
{
	struct ibv_wc completion;

	if (rdma_wait(responder, queue, channel, -1, &completion) != RDMA_DONE)
		errx(1, "the responder has gone");
	if (completion.status != IBV_WC_SUCCESS)
		errx(1, "the responder does not answer: %s", ibv_wc_status_str(completion.status));
}

static void sent(void)
{
	complete(responder->send_cq, responder->send_cq_channel);
}

/* Returns how many bytes there were. */
static uint64_t write_all(void)
{
	static char buffer[1 << 16];
	struct ibv_mr *memory = rdma_reg_msgs(responder, buffer, sizeof(buffer));
	uint64_t position = 0;
	ssize_t got;

	if (!memory)
		err(1, "register");
	while ((got = read(STDIN_FILENO, buffer, sizeof(buffer))) > 0) {
		if (position + got > be64toh(region.length))
			errx(1, "the responder's file has only %llu bytes",
			     (unsigned long long)be64toh(region.length));
		if (rdma_post_write(responder, NULL, buffer, got, memory, 0,
				    be64toh(region.address) + position, be32toh(region.key)))
			err(1, "write");
		sent();
		position += got;
	}
	if (got < 0)
		err(1, "standard input");
	return position;
}

int main(int argc, char **argv)
{
	struct rdma_message message = { 0 }, answer = { 0 };
	struct ibv_mr *message_memory, *answer_memory;

	if (argc != 3)
		errx(2, "usage: rdma-writer HOST PORT");
	connect_to(argv[1], argv[2]);
	message_memory = rdma_reg_msgs(responder, &message, sizeof(message));
	answer_memory = rdma_reg_msgs(responder, &answer, sizeof(answer));
	if (!message_memory || !answer_memory ||
	    rdma_post_recv(responder, NULL, &answer, sizeof(answer), answer_memory))
		err(1, "register");

	message.bytes = htobe64(write_all());
	if (rdma_post_send(responder, NULL, &message, sizeof(message), message_memory, 0))
		err(1, "send");
	sent();
	complete(responder->recv_cq, responder->recv_cq_channel);
	printf("%llu bytes are durable\n", (unsigned long long)be64toh(answer.bytes));
	rdma_disconnect(responder);
	return 0;
}
