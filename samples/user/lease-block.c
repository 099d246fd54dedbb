// SPDX-License-Identifier: GPL-2.0
/*
 * Holds FILE until the work is done, however long that takes, and tells who is
 * waiting. Ends the lease when the first breaker has come and the work is done.
 *
 * Usage: lease-block FILE
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/pinlease.h>

static void work(void)
{
	/* What cannot be interrupted. */
	sleep(10);
}

int main(int argc, char **argv)
{
	struct pinlease_acquire acquire = {
		.size = sizeof(acquire),
		.flags = PINLEASE_ACQUIRE_CLOEXEC,
		.policy = PINLEASE_POLICY_BLOCK,
	};
	struct pinlease_event event;
	int device, lease;

	if (argc != 2)
		errx(2, "usage: lease-block FILE");
	acquire.fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (acquire.fd < 0)
		err(1, "%s", argv[1]);
	device = open("/dev/pinlease", O_RDWR | O_CLOEXEC);
	if (device < 0)
		err(1, "/dev/pinlease");
	lease = ioctl(device, PINLEASE_IOC_ACQUIRE, &acquire);
	if (lease < 0)
		err(1, "ACQUIRE");

	/* Without O_NONBLOCK, read(2) waits for an event. */
	do {
		if (read(lease, &event, sizeof(event)) < 0)
			err(1, "read");
	} while (event.kind != PINLEASE_EVENT_BREAK);

	/* event.deadline_ns is 0: nothing happens by itself. */
	printf("%.16s (%d) waits\n", event.comm, event.pid);
	work();
	close(lease);
	return 0;
}
