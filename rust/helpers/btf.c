// SPDX-License-Identifier: GPL-2.0
#include <linux/btf.h>
#include "helpers.h"

unsigned int pinlease_btf_vlen(const struct btf_type *t)
{
	return btf_type_vlen(t);
}

const struct btf_member *pinlease_btf_members(const struct btf_type *t)
{
	return btf_type_member(t);
}

unsigned int pinlease_btf_member_bit_offset(const struct btf_type *t,
					    const struct btf_member *m)
{
	return __btf_member_bit_offset(t, m);
}
