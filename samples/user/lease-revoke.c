// SPDX-License-Identifier: GPL-2.0
/*
 * Holds FILE, of which only the first page is pinned. Who wants what is behind
 * that gets it, unless it is in the same folio; who wants the first page gets
 * that by force after a second, and the program lives on without it.
 *
 * Usage: lease-revoke FILE
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pinlease.h>

#define PAGE 4096

/* 0: the lease is withdrawn */
static int look(int lease)
{
	struct pinlease_shrink shrink = { .size = sizeof(shrink), .length = PAGE };
	struct pinlease_event event;

	if (read(lease, &event, sizeof(event)) < 0)
		err(1, "read");
	switch (event.kind) {
	case PINLEASE_EVENT_BREAK:
		if (event.offset < PAGE)
			printf("%.16s will have the first page\n", event.comm);
		else if (ioctl(lease, PINLEASE_IOC_SHRINK, &shrink))
			err(1, "SHRINK");
		return 1;
	case PINLEASE_EVENT_WITHDRAWN:
		return 0;
	default:
		return 1;
	}
}

int main(int argc, char **argv)
{
	struct pinlease_acquire acquire = {
		.size = sizeof(acquire),
		.flags = PINLEASE_ACQUIRE_CLOEXEC,
		.policy = PINLEASE_POLICY_REVOKE,
		.grace_ms = 1000,
	};
	struct pinlease_pin pin = { .size = sizeof(pin), .length = PAGE };
	struct pinlease_query query = { .size = sizeof(query) };
	struct pollfd events = { .events = POLLIN };
	void *memory;
	int device;

	if (argc != 2)
		errx(2, "usage: lease-revoke FILE");
	acquire.fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (acquire.fd < 0)
		err(1, "%s", argv[1]);
	device = open("/dev/pinlease", O_RDWR | O_CLOEXEC);
	if (device < 0)
		err(1, "/dev/pinlease");
	events.fd = ioctl(device, PINLEASE_IOC_ACQUIRE, &acquire);
	if (events.fd < 0)
		err(1, "ACQUIRE");
	memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, acquire.fd, 0);
	if (memory == MAP_FAILED)
		err(1, "mmap");
	pin.addr = (uintptr_t)memory;
	if (ioctl(events.fd, PINLEASE_IOC_PIN, &pin))
		err(1, "PIN");

	do {
		if (poll(&events, 1, -1) < 0)
			err(1, "poll");
	} while (look(events.fd));

	/* Drivers were told to stop; the last pages may be on their way out. */
	if (ioctl(events.fd, PINLEASE_IOC_QUERY, &query))
		err(1, "QUERY");
	printf("withdrawn, %llu pins left\n", query.pins);
	if (ioctl(events.fd, PINLEASE_IOC_PIN, &pin) == 0 || errno != ENODEV)
		errx(1, "a withdrawn lease pins nothing");
	return 0;
}
