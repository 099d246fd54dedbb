// SPDX-License-Identifier: GPL-2.0
/*
 * Receives standard input into FILE's own memory, which is registered with
 * io_uring, and makes it durable while it stays registered. Told that somebody
 * needs the end of the file, the program keeps the rest; told that somebody
 * needs all of it, it gives it back. Should it fail to, it is killed.
 *
 * Usage: lease-grant FILE
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <liburing.h>
#include <linux/pinlease.h>

static struct io_uring ring;
static char *memory;
static size_t length, received;
static int lease, file;

static void begin(void)
{
	struct iovec buffer = { .iov_base = memory, .iov_len = length };
	int error, tries = 100;

	/*
	 * Without a lease, or with one that does not cover the mapping: EFAULT.
	 * Also as long as a breaker is at work beside it, in the same folio maybe.
	 */
	while ((error = io_uring_register_buffers(&ring, &buffer, 1)) == -EFAULT && --tries)
		usleep(20000);
	if (error)
		errx(1, "register: %s", strerror(-error));
}

/* Gives back what somebody wants from @offset on; returns whether it is all. */
static int answer(uint64_t offset)
{
	struct pinlease_shrink shrink = { .size = sizeof(shrink), .length = offset };
	int error = io_uring_unregister_buffers(&ring);

	if (error)
		errx(1, "unregister: %s", strerror(-error));
	if (offset < received || offset == 0)
		return 1;
	/* A grant is for mappings that are leased as a whole. */
	if (munmap(memory + offset, length - offset))
		err(1, "munmap");
	length = offset;
	if (ioctl(lease, PINLEASE_IOC_SHRINK, &shrink)) {
		/* EBUSY: something else has pinned it, too. */
		if (errno == EBUSY)
			return 1;
		err(1, "SHRINK");
	}
	begin();
	return 0;
}

static int look(void)
{
	struct pinlease_event event;

	while (read(lease, &event, sizeof(event)) > 0) {
		if (event.kind != PINLEASE_EVENT_BREAK || event.offset >= length)
			continue;
		printf("%.16s (%d) wants %llu,%llu\n", event.comm, event.pid,
		       event.offset, event.length);
		if (answer(event.offset))
			return 1;
		printf("keeping %zu\n", length);
	}
	if (errno != EAGAIN)
		err(1, "read");
	return 0;
}

/* Returns whether there is no more, or no room for it. */
static int receive(void)
{
	struct io_uring_sqe *request = io_uring_get_sqe(&ring);
	struct io_uring_cqe *done;
	int error, result;

	if (received == length)
		return 1;
	io_uring_prep_read_fixed(request, STDIN_FILENO, memory + received, length - received,
				 -1, 0);
	error = io_uring_submit_and_wait(&ring, 1);
	if (error >= 0)
		error = io_uring_wait_cqe(&ring, &done);
	if (error < 0)
		errx(1, "io_uring: %s", strerror(-error));
	result = done->res;
	io_uring_cqe_seen(&ring, done);
	if (result < 0)
		errx(1, "standard input: %s", strerror(-result));
	received += result;
	/* The kernel saw no write to the file, but this finds what came. */
	if (fdatasync(file))
		err(1, "fdatasync");
	printf("%zu bytes are durable\n", received);
	return result == 0;
}

int main(int argc, char **argv)
{
	struct pinlease_acquire acquire = {
		.size = sizeof(acquire),
		.flags = PINLEASE_ACQUIRE_CLOEXEC | PINLEASE_ACQUIRE_GRANT,
		.policy = PINLEASE_POLICY_KILL,
		.grace_ms = 5000,
	};
	struct pollfd fds[2] = { { .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };
	struct stat status;
	int device, error;

	if (argc != 2)
		errx(2, "usage: lease-grant FILE");
	setlinebuf(stdout);
	file = open(argv[1], O_RDWR | O_CLOEXEC);
	if (file < 0 || fstat(file, &status))
		err(1, "%s", argv[1]);
	device = open("/dev/pinlease", O_RDWR | O_CLOEXEC);
	if (device < 0)
		err(1, "/dev/pinlease");
	acquire.fd = file;
	lease = ioctl(device, PINLEASE_IOC_ACQUIRE, &acquire);
	if (lease < 0)
		err(1, "ACQUIRE");
	if (fcntl(lease, F_SETFL, O_NONBLOCK))
		err(1, "fcntl");

	/* No longer than the file: the mapping must be leased as a whole. */
	length = status.st_size;
	memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (memory == MAP_FAILED)
		err(1, "mmap");
	error = io_uring_queue_init(1, &ring, 0);
	if (error)
		errx(1, "io_uring: %s", strerror(-error));
	begin();

	fds[0].fd = lease;
	for (;;) {
		if (poll(fds, 2, -1) < 0)
			err(1, "poll");
		if (fds[0].revents && look())
			break;
		if (fds[1].revents && receive())
			break;
	}
	/* Whoever waits goes on when the lease has ended and nothing is pinned. */
	close(lease);
	io_uring_queue_exit(&ring);
	return 0;
}
