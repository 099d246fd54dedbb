// SPDX-License-Identifier: GPL-2.0
#include <linux/blk-integrity.h>
#include <linux/blkdev.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/uio.h>
#include "helpers.h"

/* Who may lease: the inode's owner or CAP_LEASE, as vfs_setlease() has it. */
int pinlease_may_lease(struct file *file)
{
	vfsuid_t vfsuid = i_uid_into_vfsuid(file_mnt_idmap(file), file_inode(file));

	if (vfsuid_eq_kuid(vfsuid, current_fsuid()) || capable(CAP_LEASE))
		return 0;
	return -EACCES;
}

bool pinlease_inode_is_dax(const struct inode *inode)
{
	return IS_DAX(inode);
}

bool pinlease_inode_is_swapfile(const struct inode *inode)
{
	return IS_SWAPFILE(inode);
}

bool pinlease_sb_has_integrity(const struct super_block *sb)
{
	return sb->s_bdev && blk_get_integrity(sb->s_bdev->bd_disk);
}

bool pinlease_sb_is_zoned(const struct super_block *sb)
{
	return sb->s_bdev && bdev_is_zoned(sb->s_bdev);
}

bool pinlease_sb_start_write_trylock(struct super_block *sb)
{
	return sb_start_write_trylock(sb);
}

void pinlease_sb_end_write(struct super_block *sb)
{
	sb_end_write(sb);
}

loff_t pinlease_i_size_read(const struct inode *inode)
{
	return i_size_read(inode);
}

const struct cred *pinlease_override_creds(const struct cred *cred)
{
	return override_creds(cred);
}

void pinlease_revert_creds(const struct cred *cred)
{
	revert_creds(cred);
}

size_t pinlease_iov_iter_count(const struct iov_iter *iter)
{
	return iov_iter_count(iter);
}
