/* SPDX-License-Identifier: GPL-2.0 */
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/pinlease.h>
#include "../edu.h"
#include "../helpers.h"
