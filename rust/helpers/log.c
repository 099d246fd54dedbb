// SPDX-License-Identifier: GPL-2.0
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt
#include <linux/printk.h>
#include "helpers.h"

/*
 * What users can cause. Here because the kernel crate has neither the
 * pr_*_ratelimited() nor dynamic debug. Documentation/observing.rst lists every
 * message with what to do about it.
 */

void pinlease_log_refusal(const char *reason)
{
	pr_debug("no lease: %s\n", reason);
}

void pinlease_log_importer(const char *device)
{
	pr_debug("no dma-buf for %s: policy revoke, and it cannot be made to give it back\n", device);
}

void pinlease_log_hooks(bool installed)
{
	if (installed)
		pr_info_ratelimited("first lease, hooks installed\n");
	else
		pr_info_ratelimited("no lease left, hooks removed\n");
}

void pinlease_log_hook_taken(void)
{
	pr_warn_ratelimited("a livepatch or a BPF fexit program holds a function that a lease needs; "
			    "remove it, see the entries with I in /sys/kernel/tracing/enabled_functions\n");
}

void pinlease_log_hook_refused(int error)
{
	pr_warn_ratelimited("ftrace refuses the hooks: error %d; no lease can be kept; "
			    "see whether other tracers work\n", error);
}

void pinlease_log_no_function(const char *name, size_t length)
{
	pr_warn_ratelimited("this kernel has no function %.*s, so no lease can be kept; build the module for this kernel\n",
			    (int)length, name);
}

void pinlease_log_killed(int holder, const char *comm, u64 lease)
{
	pr_info_ratelimited("holder %d (%s) of lease %llu did not answer within its grace: killed, as its policy says\n",
			    holder, comm, lease);
}

void pinlease_log_not_killed(int holder, u64 lease, int error)
{
	pr_warn_ratelimited("holder %d of lease %llu cannot be killed: error %d; its pins are taken away\n",
			    holder, lease, error);
}

void pinlease_log_revoked(int holder, const char *comm, u64 lease)
{
	pr_info_ratelimited(
		"holder %d (%s) of lease %llu did not answer within its grace: pins taken away, as its policy says\n",
		holder, comm, lease);
}
