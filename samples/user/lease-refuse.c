// SPDX-License-Identifier: GPL-2.0
/*
 * Holds FILE until standard input ends. Nobody has to be answered; who tried to
 * change it got ETXTBSY, and is named.
 *
 * Usage: lease-refuse FILE
 */
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/pinlease.h>

int main(int argc, char **argv)
{
	struct pinlease_acquire acquire = {
		.size = sizeof(acquire),
		.flags = PINLEASE_ACQUIRE_CLOEXEC,
		.policy = PINLEASE_POLICY_REFUSE,
	};
	struct pollfd descriptors[2] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .events = POLLIN },
	};
	struct pinlease_event event;
	int device;

	if (argc != 2)
		errx(2, "usage: lease-refuse FILE");
	acquire.fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (acquire.fd < 0)
		err(1, "%s", argv[1]);
	device = open("/dev/pinlease", O_RDWR | O_CLOEXEC);
	if (device < 0)
		err(1, "/dev/pinlease");
	descriptors[1].fd = ioctl(device, PINLEASE_IOC_ACQUIRE, &acquire);
	if (descriptors[1].fd < 0)
		err(1, "ACQUIRE");

	for (;;) {
		char input[64];

		if (poll(descriptors, 2, -1) < 0)
			err(1, "poll");
		if (descriptors[1].revents) {
			if (read(descriptors[1].fd, &event, sizeof(event)) < 0)
				err(1, "read");
			if (event.kind == PINLEASE_EVENT_REFUSED)
				printf("%.16s (%d) was refused %llu,%llu\n", event.comm,
				       event.pid, event.offset, event.length);
		}
		if (descriptors[0].revents &&
		    read(STDIN_FILENO, input, sizeof(input)) <= 0)
			return 0;
	}
}
