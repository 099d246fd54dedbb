// SPDX-License-Identifier: GPL-2.0
#include <linux/blkdev.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <linux/timekeeping.h>
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

void pinlease_sb_start_write(struct super_block *sb)
{
	sb_start_write(sb);
}

void pinlease_kiocb_start_write(struct kiocb *iocb)
{
	kiocb_start_write(iocb);
}

void pinlease_kiocb_end_write(struct kiocb *iocb)
{
	kiocb_end_write(iocb);
}

bool pinlease_iov_iter_is_user_backed(const struct iov_iter *iter)
{
	return user_backed_iter(iter);
}

/* Waits until who holds the inode's lock, and direct I/O, are done. */
int pinlease_inode_quiesce(struct inode *inode)
{
	int error = inode_lock_killable(inode);

	if (error)
		return error;
	inode_dio_wait_interruptible(inode);
	if (atomic_read(&inode->i_dio_count))
		error = -ERESTARTSYS;
	inode_unlock(inode);
	return error;
}

bool pinlease_inode_has_direct_io(struct inode *inode)
{
	return atomic_read(&inode->i_dio_count) != 0;
}

/* Whether one quota leaves less than @bytes, as the filesystems themselves judge it. */
static bool quota_leaves_less(struct super_block *sb, struct kqid id, u64 bytes)
{
	struct qc_dqblk quota = {};
	u64 space;

	if (!qid_valid(id) || sb->s_qcop->get_dqblk(sb, id, &quota))
		return false;
	space = quota.d_space + bytes;
	if (quota.d_spc_hardlimit && space > quota.d_spc_hardlimit)
		return true;
	return quota.d_spc_softlimit && space > quota.d_spc_softlimit && quota.d_spc_timer &&
	       ktime_get_real_seconds() >= quota.d_spc_timer;
}

/*
 * Whether a quota of the file's user, group or project (unless @project is
 * negative) is enforced and leaves less than @bytes. May sleep.
 */
bool pinlease_quota_exceeded(struct inode *inode, s64 project, u64 bytes)
{
	const unsigned int enforced = QCI_ACCT_ENABLED | QCI_LIMITS_ENFORCED;
	struct super_block *sb = inode->i_sb;
	struct kqid ids[MAXQUOTAS] = {
		[USRQUOTA] = make_kqid_uid(inode->i_uid),
		[GRPQUOTA] = make_kqid_gid(inode->i_gid),
		[PRJQUOTA] = make_kqid_projid(KPROJIDT_INIT(project)),
	};
	struct qc_state state = {};

	if (!sb->s_qcop || !sb->s_qcop->get_dqblk || !sb->s_qcop->get_state ||
	    sb->s_qcop->get_state(sb, &state))
		return false;
	for (int type = 0; type < MAXQUOTAS; type++) {
		if (type == PRJQUOTA && project < 0)
			continue;
		if ((state.s_state[type].flags & enforced) == enforced &&
		    quota_leaves_less(sb, ids[type], bytes))
			return true;
	}
	return false;
}
