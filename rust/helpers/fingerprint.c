// SPDX-License-Identifier: GPL-2.0
#include <crypto/gf128hash.h>
#include <linux/highmem.h>
#include <linux/random.h>
#include "helpers.h"

static struct polyval_key key;

/* Draws the key. Once, before all else. */
void pinlease_fingerprint_init(void)
{
	u8 raw[POLYVAL_BLOCK_SIZE];

	get_random_bytes(raw, sizeof(raw));
	polyval_preparekey(&key, raw);
	memzero_explicit(raw, sizeof(raw));
}

/* POLYVAL of a page. Each byte is read once: it may change meanwhile. */
void pinlease_fingerprint(struct page *page, u8 *digest)
{
	u8 *data = kmap_local_page(page);
	struct polyval_ctx ctx;

	polyval_init(&ctx, &key);
	polyval_update(&ctx, data, PAGE_SIZE);
	polyval_final(&ctx, digest);
	kunmap_local(data);
}
