/* SPDX-License-Identifier: GPL-2.0 */
/* What rust/bindings/generated.rs is made from; bindgen.flags says what of it. */
#include <linux/anon_inodes.h>
#include <linux/bio-integrity.h>
#include <linux/blk-crypto.h>
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/cred.h>
#include <linux/falloc.h>
#include <linux/fileattr.h>
#include <linux/filelock.h>
#include <linux/fs.h>
#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/mempool.h>
#include <linux/interval_tree.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/poll.h>
#include <linux/rmap.h>
#include <linux/scatterlist.h>
#include <linux/seq_file.h>
#include <linux/statfs.h>
#include <linux/vmalloc.h>
#include <linux/writeback.h>
#include <uapi/linux/pinlease.h>
#include <linux/pinlease.h>
#include "helpers.h"

/* Macros with casts, which bindgen cannot evaluate. */
const gfp_t CONST_GFP_NOIO = GFP_NOIO;
const fmode_t CONST_FMODE_READ = FMODE_READ;
const fmode_t CONST_FMODE_WRITE = FMODE_WRITE;
const unsigned int CONST_REMAP_FILE_DEDUP = REMAP_FILE_DEDUP;
const unsigned int CONST_REMAP_FILE_CAN_SHORTEN = REMAP_FILE_CAN_SHORTEN;
const unsigned int CONST_TASK_COMM_LEN = TASK_COMM_LEN;
const int CONST_IOCB_APPEND = IOCB_APPEND;
const int CONST_IOCB_NOWAIT = IOCB_NOWAIT;
const unsigned int CONST_FL_LAYOUT = FL_LAYOUT;
const unsigned int CONST_POLL_PRI = POLL_PRI;
const unsigned int CONST_POLL_EVENTS = (__force unsigned int)(EPOLLIN | EPOLLRDNORM | EPOLLPRI);
