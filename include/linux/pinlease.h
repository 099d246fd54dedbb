/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pinlease for drivers: device access to memory that user space has pinned
 * under a lease.
 *
 * User space acquires the lease and pins (see uapi/linux/pinlease.h), then
 * hands the lease's file descriptor and the pin's id to the driver, which
 * attaches.  Documentation/driver-api.rst is made from this file.
 */
#ifndef _LINUX_PINLEASE_H
#define _LINUX_PINLEASE_H

#include <linux/types.h>

struct sg_table;
struct pinlease_attachment;

/**
 * struct pinlease_driver_ops - what pinlease asks of a driver
 * @revoke: The pin is going away: the lease was closed, or a breaker met it and
 *	its policy acted (in a worker).  When this returns, the device must
 *	have stopped and must not touch the pages again; the scatter-gather
 *	table and its pages are gone.  The attachment itself stays until
 *	pinlease_detach(), which must not be called from here.  Called at most
 *	once, possibly before pinlease_attach() has returned, in process
 *	context, without locks of pinlease held that pinlease_attach() or
 *	pinlease_detach() take; it may sleep, but breakers wait for it.  A
 *	detach that races with it waits for it.  Without a revoke, pages are
 *	given back under a device that may still write them.
 */
struct pinlease_driver_ops {
	void (*revoke)(void *context);
};

/**
 * pinlease_attach() - use a pin
 * @lease_fd: file descriptor of the lease, in the current process
 * @pin_id:   from PINLEASE_IOC_PIN
 * @ops:      must live until pinlease_detach() has returned
 * @context:  passed to @ops; must live as long
 *
 * While attached, PINLEASE_IOC_UNPIN answers %EBUSY; closing the lease revokes.
 * A pin may have several attachments.
 *
 * Context: Process context of who has @lease_fd.  May sleep.
 * Return: the attachment, or an ERR_PTR(): -%EBADF (not a lease), -%ENOENT (no
 * such pin), -%ENODEV (the pin is being released, or the lease is withdrawn),
 * -%ENOMEM.
 */
struct pinlease_attachment *
pinlease_attach(int lease_fd, u64 pin_id,
		const struct pinlease_driver_ops *ops, void *context);

/**
 * pinlease_sg_table() - the pages of an attached pin, in file order
 * @attachment: from pinlease_attach()
 *
 * One entry for each run of pages in a folio; the offset of an entry may be
 * larger than a page.  The table belongs to the attachment; it is valid until
 * &pinlease_driver_ops.revoke returns or pinlease_detach() is called, and is not
 * DMA-mapped: copy it for that.  After the device wrote there is nothing to
 * dirty: pinlease does that.
 *
 * Context: Process context.  May sleep.
 * Return: the table, or ERR_PTR(-ENODEV) after a revoke.
 */
const struct sg_table *
pinlease_sg_table(struct pinlease_attachment *attachment);

/**
 * pinlease_detach() - stop using a pin
 * @attachment: from pinlease_attach(); freed.  The device must be idle.
 *
 * Waits for a revoke that is under way: do not hold a lock that it takes.
 *
 * Context: Process context.  May sleep.
 */
void pinlease_detach(struct pinlease_attachment *attachment);

#endif /* _LINUX_PINLEASE_H */
