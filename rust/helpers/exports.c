// SPDX-License-Identifier: GPL-2.0
/* The C ABI of include/linux/pinlease.h; the functions are in rust/attach.rs. */
#include <linux/export.h>
#include <linux/pinlease.h>

EXPORT_SYMBOL_GPL(pinlease_attach);
EXPORT_SYMBOL_GPL(pinlease_sg_table);
EXPORT_SYMBOL_GPL(pinlease_detach);
