/* SPDX-License-Identifier: GPL-2.0 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/nospec-branch.h>
#include <asm/unwind_hints.h>

/*
 * Jumps to the function in %r11, all arguments as they are.
 *
 * By a return and not by an indirect jump: objtool seals the ENDBR of functions
 * whose address nobody takes, and an indirect jump there traps on a CPU with
 * indirect branch tracking.  Calling and overwriting the return address keeps
 * the return stack buffer balanced, as in a retpoline.
 */
SYM_FUNC_START(pinlease_jump)
	ANNOTATE_INTRA_FUNCTION_CALL
	call	1f
	int3
1:	mov	%r11, (%rsp)
	UNWIND_HINT_FUNC
	RET
SYM_FUNC_END(pinlease_jump)
