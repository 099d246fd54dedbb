// SPDX-License-Identifier: GPL-2.0
/*
 * A livepatch for the tests of neighbours: replaces vma_needs_dirty_tracking()
 * (mm/vma.c), which pinlease hooks, by a function that does the same for file
 * mappings and counts its calls.
 *
 * Loading it fails with EBUSY while a lease exists; while it is loaded, no lease
 * can be had.
 */
#include <linux/fs.h>
#include <linux/livepatch.h>
#include <linux/mm.h>
#include <linux/module.h>

static unsigned long calls;
module_param(calls, ulong, 0444);
MODULE_PARM_DESC(calls, "How often the new function was called");

static bool needs_dirty_tracking(struct vm_area_struct *vma)
{
	const vm_flags_t shared_writable = VM_SHARED | VM_WRITE;

	calls++;
	if ((vma->vm_flags & shared_writable) != shared_writable)
		return false;
	return vma->vm_ops && (vma->vm_ops->page_mkwrite || vma->vm_ops->pfn_mkwrite);
}

static struct klp_func functions[] = {
	{
		.old_name = "vma_needs_dirty_tracking",
		.new_func = needs_dirty_tracking,
	}, { }
};

static struct klp_object objects[] = {
	/* Without a name: the kernel itself. */
	{
		.funcs = functions,
	}, { }
};

static struct klp_patch patch = {
	.mod = THIS_MODULE,
	.objs = objects,
};

static int __init patch_tracking_init(void)
{
	return klp_enable_patch(&patch);
}

/* Only a patch that is disabled lets its module go. */
static void __exit patch_tracking_exit(void)
{
}

module_init(patch_tracking_init);
module_exit(patch_tracking_exit);

MODULE_AUTHOR("The pinlease authors");
MODULE_DESCRIPTION("Livepatch of a function that pinlease hooks");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
