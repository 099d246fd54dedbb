/* SPDX-License-Identifier: GPL-2.0 */
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/pinlease.h>
#include "../dmasim.h"
