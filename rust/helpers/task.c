// SPDX-License-Identifier: GPL-2.0
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include "helpers.h"

/*
 * Whether the current task may sleep on behalf of its caller: it is no kernel
 * thread, is not being torn down, and acts for itself (stacked filesystems,
 * which hold locks of their own, act with the mounter's credentials).
 */
bool pinlease_current_may_wait(void)
{
	return !(current->flags & (PF_KTHREAD | PF_EXITING | PF_DUMPCORE)) &&
	       current_cred() == current_real_cred();
}

/* Whether it is a worker of io_uring, to which ERESTARTSYS means nothing. */
bool pinlease_current_is_io_worker(void)
{
	return current->flags & PF_IO_WORKER;
}

bool pinlease_current_is_dying(void)
{
	return fatal_signal_pending(current);
}

struct pid *pinlease_get_current_process(void)
{
	return get_pid(task_tgid(current));
}

const struct cred *pinlease_get_current_cred(void)
{
	return get_current_cred();
}

void pinlease_put_cred(const struct cred *cred)
{
	put_cred(cred);
}

bool pinlease_capable_resource(void)
{
	return capable(CAP_SYS_RESOURCE);
}

bool pinlease_capable_admin(void)
{
	return capable(CAP_SYS_ADMIN);
}

/* Nothing where the kernel can preempt anyway. */
void pinlease_cond_resched(void)
{
	cond_resched();
}

/* As stat(2) tells users who have no number in the reader's namespace. */
uid_t pinlease_shown_uid(uid_t user)
{
	return from_kuid_munged(current_user_ns(), KUIDT_INIT(user));
}

/* Whether all threads have closed their files. */
bool pinlease_process_is_gone(struct pid *process)
{
	struct task_struct *leader;
	bool gone;

	rcu_read_lock();
	leader = pid_task(process, PIDTYPE_TGID);
	gone = !leader || (READ_ONCE(leader->exit_state) && thread_group_empty(leader));
	rcu_read_unlock();
	return gone;
}

/* Whether it is process 1, which nobody should kill. */
bool pinlease_process_is_init(struct pid *process)
{
	return pid_nr(process) == 1;
}

/* As kill(2) by a process with these credentials would; init of a container dies, too. */
int pinlease_process_kill(struct pid *process, const struct cred *cred)
{
	const struct cred *target;
	struct task_struct *leader;
	bool allowed;

	rcu_read_lock();
	leader = pid_task(process, PIDTYPE_TGID);
	if (!leader) {
		rcu_read_unlock();
		return -ESRCH;
	}
	target = __task_cred(leader);
	allowed = uid_eq(cred->euid, target->suid) || uid_eq(cred->euid, target->uid) ||
		  uid_eq(cred->uid, target->suid) || uid_eq(cred->uid, target->uid) ||
		  (cred->user_ns == &init_user_ns && cap_raised(cred->cap_effective, CAP_KILL));
	rcu_read_unlock();
	return allowed ? kill_pid(process, SIGKILL, 1) : -EPERM;
}

/* The name of the process's first thread; empty when it is gone. */
void pinlease_process_comm(struct pid *process, char *comm)
{
	struct task_struct *leader;

	memset(comm, 0, TASK_COMM_LEN);
	rcu_read_lock();
	leader = pid_task(process, PIDTYPE_TGID);
	if (leader)
		strscpy_pad(comm, leader->comm, TASK_COMM_LEN);
	rcu_read_unlock();
}
