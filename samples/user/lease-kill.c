// SPDX-License-Identifier: GPL-2.0
/*
 * Holds FILE for a device. Told by a signal that somebody needs it, the program
 * unpins, and pins again when that is done. Should it fail to, it is killed.
 *
 * Usage: lease-kill FILE
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/pinlease.h>

static struct pinlease_pin pin = { .size = sizeof(pin) };
static int lease, pinned;

static void begin(void)
{
	pinned = ioctl(lease, PINLEASE_IOC_PIN, &pin) == 0;
	/* EAGAIN: the next breaker is there already; its end will be told, too. */
	if (!pinned && errno != EAGAIN)
		err(1, "PIN");
	/* From here on the device may write. */
}

static void answer(void)
{
	struct pinlease_unpin unpin = { .size = sizeof(unpin), .id = pin.id };

	/* A lease without pins is answered by its end. */
	if (!pinned)
		exit(0);
	/* Here the device has to stop. */
	if (ioctl(lease, PINLEASE_IOC_UNPIN, &unpin))
		err(1, "UNPIN");
	pinned = 0;
}

static void look(void)
{
	struct pinlease_event event;

	/* One signal may stand for several events. */
	while (read(lease, &event, sizeof(event)) > 0) {
		if (event.kind == PINLEASE_EVENT_BREAK) {
			printf("%.16s (%d) wants %llu,%llu\n", event.comm, event.pid,
			       event.offset, event.length);
			answer();
		} else if (event.kind == PINLEASE_EVENT_OVER && !pinned) {
			begin();
		}
	}
	if (errno != EAGAIN)
		err(1, "read");
}

int main(int argc, char **argv)
{
	struct pinlease_acquire acquire = {
		.size = sizeof(acquire),
		.flags = PINLEASE_ACQUIRE_CLOEXEC,
		.policy = PINLEASE_POLICY_KILL,
		.grace_ms = 5000,
	};
	struct stat status;
	sigset_t signals;
	void *memory;
	int device;

	if (argc != 2)
		errx(2, "usage: lease-kill FILE");
	acquire.fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (acquire.fd < 0 || fstat(acquire.fd, &status))
		err(1, "%s", argv[1]);
	device = open("/dev/pinlease", O_RDWR | O_CLOEXEC);
	if (device < 0)
		err(1, "/dev/pinlease");
	lease = ioctl(device, PINLEASE_IOC_ACQUIRE, &acquire);
	if (lease < 0)
		err(1, "ACQUIRE");

	/* SIGIO that is asked for by F_SETSIG comes with si_fd. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGIO);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (fcntl(lease, F_SETOWN, getpid()) || fcntl(lease, F_SETSIG, SIGIO) ||
	    fcntl(lease, F_SETFL, O_ASYNC | O_NONBLOCK))
		err(1, "fcntl");

	pin.length = (status.st_size + 4095) & ~4095ULL;
	memory = mmap(NULL, pin.length, PROT_READ | PROT_WRITE, MAP_SHARED, acquire.fd, 0);
	if (memory == MAP_FAILED)
		err(1, "mmap");
	pin.addr = (uintptr_t)memory;
	begin();

	for (;;) {
		siginfo_t info = { 0 };

		/* Also what came before there were signals. */
		look();
		do {
			if (sigwaitinfo(&signals, &info) < 0 && errno != EINTR)
				err(1, "sigwaitinfo");
		} while (info.si_fd != lease);
	}
}
