/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The C side of the module, for bindgen: out-of-line forms of static inline
 * functions, named pinlease_ and then as the kernel names them, and the few
 * routines that cannot be Rust.
 */
#ifndef PINLEASE_HELPERS_H
#define PINLEASE_HELPERS_H

#include <linux/types.h>

struct address_space;
struct bio;
struct cred;
struct delayed_work;
struct file;
struct folio;
struct ftrace_regs;
struct inode;
struct iov_iter;
struct kiocb;
struct mm_struct;
struct mempool;
struct page;
struct pid;
struct poll_table_struct;
struct scatterlist;
struct spinlock;
struct super_block;
struct user_struct;
struct wait_queue_head;
struct work_struct;
struct workqueue_struct;

/* mm.c */

/* Pinned pages of one folio; delta: pages before them in the pin. */
struct pinlease_run {
	struct folio *folio;
	__u32 delta;
	__u32 pages;
};

struct folio *pinlease_page_folio(struct page *page);
unsigned long pinlease_folio_run(struct page *const *pages, unsigned long count,
				 const struct address_space *mapping, unsigned long index,
				 struct folio **folio);
unsigned long pinlease_count_runs(struct page *const *pages, unsigned long count);
bool pinlease_pages_may_stay(struct page *const *pages, unsigned long count);
bool pinlease_runs_hold(const struct pinlease_run *runs, unsigned long count,
			const struct address_space *mapping, unsigned long first);
bool pinlease_folio_maybe_dma_pinned(struct folio *folio);
bool pinlease_folio_test_writeback(struct folio *folio);
void pinlease_folio_clear_dropbehind(struct folio *folio);
void pinlease_folio_get(struct folio *folio);
void pinlease_folio_put(struct folio *folio);
unsigned long pinlease_pinned_pages(struct address_space *mapping, unsigned long first,
				    unsigned long last, bool any);
bool pinlease_pinned_folio_at(struct address_space *mapping, unsigned long index,
			      unsigned long *first, unsigned long *pages);
void pinlease_mmgrab(struct mm_struct *mm);
void pinlease_mmdrop(struct mm_struct *mm);
bool pinlease_mm_is_gone(struct mm_struct *mm);
bool pinlease_mm_has_readers(struct mm_struct *mm);
bool pinlease_mm_is_of(struct mm_struct *mm, struct pid *process);
struct address_space *pinlease_folio_file_mapping(struct folio *folio);
unsigned long pinlease_folio_nr_pages(struct folio *folio);
unsigned long pinlease_folio_page_idx(struct folio *folio, struct page *page);
struct page *pinlease_folio_page(struct folio *folio, unsigned long index);
u32 pinlease_mapping_wb_err(const struct address_space *mapping);
bool pinlease_mapping_stable_writes(const struct address_space *mapping);
void pinlease_mapping_set_stable_writes(struct address_space *mapping);
void pinlease_mapping_clear_stable_writes(struct address_space *mapping);
void pinlease_mapping_set_error(struct address_space *mapping, int error);
void pinlease_memcpy_page(struct page *to, struct page *from, size_t offset, size_t len);
int pinlease_charge_pinned(struct user_struct *user, struct mm_struct *mm, unsigned long pages);
void pinlease_uncharge_pinned(struct user_struct *user, struct mm_struct *mm, unsigned long pages);
struct user_struct *pinlease_get_current_user(void);
void pinlease_put_user(struct user_struct *user);

/* fingerprint.c */
void pinlease_fingerprint_init(void);
void pinlease_fingerprint(struct page *page, u8 *digest);

/* fs.c */
int pinlease_may_lease(struct file *file);
bool pinlease_inode_is_dax(const struct inode *inode);
bool pinlease_inode_is_swapfile(const struct inode *inode);
bool pinlease_sb_is_zoned(const struct super_block *sb);
bool pinlease_sb_start_write_trylock(struct super_block *sb);
void pinlease_sb_end_write(struct super_block *sb);
size_t pinlease_iov_iter_count(const struct iov_iter *iter);
loff_t pinlease_i_size_read(const struct inode *inode);
const struct cred *pinlease_override_creds(const struct cred *cred);
void pinlease_revert_creds(const struct cred *cred);
void pinlease_sb_start_write(struct super_block *sb);
void pinlease_kiocb_start_write(struct kiocb *iocb);
void pinlease_kiocb_end_write(struct kiocb *iocb);
bool pinlease_iov_iter_is_user_backed(const struct iov_iter *iter);
bool pinlease_inode_has_direct_io(struct inode *inode);
int pinlease_inode_quiesce(struct inode *inode);
bool pinlease_quota_exceeded(struct inode *inode, s64 project, u64 bytes);

/* log.c */
void pinlease_log_refusal(const char *reason);
void pinlease_log_importer(const char *device);
void pinlease_log_hooks(bool installed);
void pinlease_log_hook_taken(void);
void pinlease_log_hook_refused(int error);
void pinlease_log_no_function(const char *name, size_t length);
void pinlease_log_killed(int holder, const char *comm, u64 lease);
void pinlease_log_not_killed(int holder, u64 lease, int error);
void pinlease_log_revoked(int holder, const char *comm, u64 lease);

/* block.c */
void *pinlease_mempool_alloc(struct mempool *pool, gfp_t gfp);
bool pinlease_bio_may_be_writeback(struct bio *bio);
bool pinlease_bio_has_integrity(struct bio *bio);

/* hook.c */
void pinlease_fregs_set_ip(struct ftrace_regs *fregs, unsigned long ip);
int pinlease_hook_enter(void);
void pinlease_hook_exit(int token);
void pinlease_hook_synchronize(void);
int pinlease_operation_enter(void);
void pinlease_operation_exit(int token);
void pinlease_operation_init(void);
unsigned long pinlease_operation_mark(void);
bool pinlease_operation_passed(unsigned long mark);
void pinlease_init_delayed_work(struct delayed_work *work,
				void (*function)(struct work_struct *work));
void *pinlease_current(void);
void *pinlease_current_mm_grab(void);
void pinlease_sg_set_folio_part(struct scatterlist *sg, struct folio *folio, size_t length, size_t offset);
struct scatterlist *pinlease_sg_next(struct scatterlist *sg);

/* task.c */
bool pinlease_current_may_wait(void);
bool pinlease_current_is_io_worker(void);
bool pinlease_current_is_dying(void);
struct pid *pinlease_get_current_process(void);
const struct cred *pinlease_get_current_cred(void);
void pinlease_put_cred(const struct cred *cred);
bool pinlease_capable_resource(void);
bool pinlease_capable_admin(void);
void pinlease_cond_resched(void);
uid_t pinlease_shown_uid(uid_t user);
bool pinlease_process_is_gone(struct pid *process);
bool pinlease_process_is_init(struct pid *process);
int pinlease_process_kill(struct pid *process, const struct cred *cred);
void pinlease_process_comm(struct pid *process, char *comm);

/* wait.c */
void pinlease_init_waitqueue_head(struct wait_queue_head *head);
void pinlease_poll_wait(struct file *file, struct wait_queue_head *head,
			struct poll_table_struct *table);
struct workqueue_struct *pinlease_alloc_workqueue(void);
void pinlease_init_spin_lock(struct spinlock *lock);
unsigned long pinlease_spin_lock_irqsave(struct spinlock *lock);
void pinlease_spin_unlock_irqrestore(struct spinlock *lock, unsigned long flags);

/* dma_buf.c */
struct dma_resv;
struct vm_area_struct;
void pinlease_dma_resv_lock(struct dma_resv *resv);
void pinlease_dma_resv_unlock(struct dma_resv *resv);
void *pinlease_vmap(struct page **pages, unsigned int count);
unsigned long pinlease_folio_pfn(struct folio *folio);
void pinlease_vma_set_pfnmap(struct vm_area_struct *vma);

/* btf.c */
struct btf_type;
struct btf_member;
unsigned int pinlease_btf_vlen(const struct btf_type *t);
const struct btf_member *pinlease_btf_members(const struct btf_type *t);
unsigned int pinlease_btf_member_bit_offset(const struct btf_type *t,
					    const struct btf_member *m);

/* trace.c */

/* How a break ended. */
#define PINLEASE_OUTCOME_RELEASED	0
#define PINLEASE_OUTCOME_KILLED		1
#define PINLEASE_OUTCOME_REVOKED	2
#define PINLEASE_OUTCOME_REFUSED	3
#define PINLEASE_OUTCOME_WOULD_WAIT	4
#define PINLEASE_OUTCOME_DEADLOCK	5
#define PINLEASE_OUTCOME_TIMED_OUT	6
#define PINLEASE_OUTCOME_INTERRUPTED	7

/* A breaker, as tracepoints tell of it. */
struct pinlease_breaker {
	__u64 id;
	__u64 offset;
	__u64 length;
	__u32 operation;
};

/* A snapshot, as tracepoints tell of it. */
struct pinlease_snapshot {
	__u64 ino;
	__u64 sector;
	__u64 bytes;
	__u32 dev;
	__u32 pages;
	__u32 copied;
};

void pinlease_trace_lease_acquire(struct inode *inode, u64 lease, u32 policy, u64 offset, u64 length);
void pinlease_trace_lease_shrink(struct inode *inode, u64 lease, u32 policy, u64 offset, u64 length);
void pinlease_trace_lease_answer(struct inode *inode, u64 lease, u32 policy, u64 offset, u64 length);
void pinlease_trace_lease_withdraw(struct inode *inode, u64 lease, u32 policy, u64 offset, u64 length);
void pinlease_trace_lease_release(struct inode *inode, u64 lease, u32 policy, u64 offset, u64 length);
void pinlease_trace_lease_break(struct inode *inode, u64 lease, u32 policy, struct pid *holder,
				const struct pinlease_breaker *breaker);
void pinlease_trace_lease_refuse(struct inode *inode, u64 lease, u32 policy, struct pid *holder,
				 const struct pinlease_breaker *breaker);
void pinlease_trace_break_done(struct inode *inode, const struct pinlease_breaker *breaker,
			       u32 outcome, u64 waited_ns);
void pinlease_trace_grant(struct inode *inode, bool granted, u64 offset, u64 length);
void pinlease_trace_pin(struct inode *inode, u64 lease, u64 pin, u64 offset, u64 length);
void pinlease_trace_unpin(struct inode *inode, u64 lease, u64 pin, u64 offset, u64 length);
void pinlease_trace_mkclean(struct inode *inode, pgoff_t index, unsigned long pages, int cleaned);
void pinlease_trace_rearm(struct inode *inode, u64 lease, pgoff_t index, unsigned long pages,
			  int error);
void pinlease_trace_snapshot(const struct pinlease_snapshot *snapshot);
void pinlease_trace_snapshot_done(const struct pinlease_snapshot *snapshot, bool failed,
				  u64 took_ns);
void pinlease_trace_hook_install(const char *name, size_t length);
void pinlease_trace_hook_remove(const char *name, size_t length);

/* call.S */
void pinlease_jump(void);

#endif
