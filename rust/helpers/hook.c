// SPDX-License-Identifier: GPL-2.0
#include <linux/ftrace.h>
#include <linux/sched/mm.h>
#include <linux/srcu.h>
#include <linux/workqueue.h>
#include "helpers.h"

/* Readers are calls that run in a hook; see hook::Table::quiesce(). */
DEFINE_STATIC_SRCU(pinlease_hook_srcu);

/* Readers are operations between their look for leases and their end. */
DEFINE_STATIC_SRCU(pinlease_operation_srcu);

void pinlease_fregs_set_ip(struct ftrace_regs *fregs, unsigned long ip)
{
	ftrace_regs_set_instruction_pointer(fregs, ip);
}

int pinlease_hook_enter(void)
{
	return srcu_read_lock(&pinlease_hook_srcu);
}

void pinlease_hook_exit(int token)
{
	srcu_read_unlock(&pinlease_hook_srcu, token);
}

void pinlease_hook_synchronize(void)
{
	synchronize_srcu(&pinlease_hook_srcu);
	synchronize_srcu(&pinlease_operation_srcu);
	/* Expediting leaves callbacks behind. */
	srcu_barrier(&pinlease_operation_srcu);
}

int pinlease_operation_enter(void)
{
	return srcu_read_lock(&pinlease_operation_srcu);
}

void pinlease_operation_exit(int token)
{
	srcu_read_unlock(&pinlease_operation_srcu, token);
}

/*
 * Before any lease: srcu_expedite_current() takes for granted what the first
 * grace period initialises.
 */
void pinlease_operation_init(void)
{
	synchronize_srcu_expedited(&pinlease_operation_srcu);
}

/*
 * Expedited, since who leases a file waits for it: the grace period that runs
 * (or a new one), and the one after it, which the mark may stand for.
 */
unsigned long pinlease_operation_mark(void)
{
	unsigned long mark;

	srcu_expedite_current(&pinlease_operation_srcu);
	mark = start_poll_synchronize_srcu(&pinlease_operation_srcu);
	srcu_expedite_current(&pinlease_operation_srcu);
	return mark;
}

bool pinlease_operation_passed(unsigned long mark)
{
	return poll_state_synchronize_srcu(&pinlease_operation_srcu, mark);
}

void pinlease_init_delayed_work(struct delayed_work *work,
				void (*function)(struct work_struct *work))
{
	INIT_DELAYED_WORK(work, function);
}

void *pinlease_current(void)
{
	return current;
}

/* The caller's address space with a reference for mmdrop(); NULL in a kernel thread. */
void *pinlease_current_mm_grab(void)
{
	if (current->mm)
		mmgrab(current->mm);
	return current->mm;
}
