// SPDX-License-Identifier: GPL-2.0
/*
 * The C ABI of include/linux/pinlease.h; the functions are in rust/attach.rs.
 * And the version, for which module! has no key.
 */
#include <linux/export.h>
#include <linux/module.h>
#include <linux/pinlease.h>

MODULE_VERSION("0.1.0");

EXPORT_SYMBOL_GPL(pinlease_attach);
EXPORT_SYMBOL_GPL(pinlease_sg_table);
EXPORT_SYMBOL_GPL(pinlease_detach);
