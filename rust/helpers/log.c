// SPDX-License-Identifier: GPL-2.0
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt
#include <linux/printk.h>
#include "helpers.h"

/* Here because pr_debug!() of the kernel crate knows no dynamic debug. */
void pinlease_log_refusal(const char *reason)
{
	pr_debug("no lease: %s\n", reason);
}

void pinlease_log_importer(const char *device)
{
	pr_debug("no dma-buf for %s: policy revoke, and it cannot be made to give it back\n", device);
}
