/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Waiting for a completion and for what may happen instead of it.
 */
#ifndef RDMA_WAIT_H
#define RDMA_WAIT_H

#include <err.h>
#include <poll.h>

#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>

enum rdma_waited {
	RDMA_DONE,	/* *completion is there */
	RDMA_GONE,	/* the other side has disconnected */
	RDMA_READABLE,	/* fd can be read */
};

/* Waits for a completion in @queue, whose channel is @channel; @fd may be -1. */
static inline enum rdma_waited rdma_wait(struct rdma_cm_id *id, struct ibv_cq *queue,
					 struct ibv_comp_channel *channel, int fd,
					 struct ibv_wc *completion)
{
	struct pollfd fds[3] = {
		{ .fd = channel->fd, .events = POLLIN },
		{ .fd = fd, .events = POLLIN },
		{ .fd = id->channel->fd, .events = POLLIN },
	};
	int armed = 0;

	for (;;) {
		struct ibv_cq *of;
		void *context;
		int count = ibv_poll_cq(queue, 1, completion);

		if (count < 0)
			err(1, "completion");
		if (count)
			return RDMA_DONE;
		if (!armed) {
			/* What came before this tells nobody: look again. */
			if (ibv_req_notify_cq(queue, 0))
				err(1, "notify");
			armed = 1;
			continue;
		}
		if (poll(fds, 3, -1) < 0)
			err(1, "poll");
		if (fds[1].revents)
			return RDMA_READABLE;
		if (fds[0].revents) {
			if (ibv_get_cq_event(channel, &of, &context))
				err(1, "completion");
			ibv_ack_cq_events(of, 1);
			armed = 0;
		} else if (fds[2].revents) {
			return RDMA_GONE;
		}
	}
}

#endif /* RDMA_WAIT_H */
