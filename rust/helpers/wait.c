// SPDX-License-Identifier: GPL-2.0
#include <linux/poll.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "helpers.h"

void pinlease_init_waitqueue_head(struct wait_queue_head *head)
{
	init_waitqueue_head(head);
}

void pinlease_poll_wait(struct file *file, struct wait_queue_head *head,
			struct poll_table_struct *table)
{
	poll_wait(file, head, table);
}

/* Leases whose policy acts and files that are re-armed, each in a worker of its own. */
struct workqueue_struct *pinlease_alloc_workqueue(void)
{
	return alloc_workqueue("pinlease", WQ_UNBOUND, WQ_MAX_ACTIVE);
}

void pinlease_init_spin_lock(struct spinlock *lock)
{
	spin_lock_init(lock);
}

unsigned long pinlease_spin_lock_irqsave(struct spinlock *lock)
{
	unsigned long flags;

	spin_lock_irqsave(lock, flags);
	return flags;
}

void pinlease_spin_unlock_irqrestore(struct spinlock *lock, unsigned long flags)
{
	spin_unlock_irqrestore(lock, flags);
}
