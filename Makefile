# SPDX-License-Identifier: GPL-2.0
#
#   make        out/pinlease.ko, out/pinbench.ko, out/dmasim.ko, out/edu.ko, out/pinlease
#   make demo   what the stock kernel loses and what pinlease keeps; pictures in out/demo.html
#   make check  all tests
#   make check-debug   all tests on a kernel with KASAN, lockdep and more, which is built first
#   make check-debug-short   some of them, in some minutes
#   make check-crash   power cuts under a writing device: N=cuts SEED=number FS=filesystem, CRASH_ARGS=more
#   make check-crash-mutants   whether the judge of the power cuts finds what is broken on purpose
#   make check-mutants   whether the tests notice when the module is broken on purpose
#   make fuzz   operations drawn by chance, on each filesystem for some minutes
#   make bench  what pinlease costs, beside what it is compared with: out/bench.json, out/bench.txt, plots; BENCH_ARGS=more
#   make bench-table   Documentation/performance-figures.rst, from that
#   make man    the man pages of the command, in out/man
#   make deb    Debian packages of the module (DKMS) and the command, in out
#   make check-debian   installs them in a Debian that boots with systemd, looks, and removes them; takes long
#   make check-tutorial   whether the commands of Documentation/tutorial.rst do what it says
#   make docs   Documentation/ as a web site, in out/docs/html
#   make rustdoc   the documentation of the Rust code, in out/docs/rust
#   make rust-analyzer   rust-project.json, by which rust-analyzer understands the module
#   make check-rust-analyzer   whether it does
#   make lint   format, lints and documents
#   make unit   the tests that need no guest
#   make modules   the modules alone; KDIR=/path/to/a/kernel/build for that kernel
#   make debug-modules   the modules for the debug kernel, in out/debug
#   make programs   the command and the programs of the tests alone
#   make clean  removes out/ and what builds left in the tree
#   make help   this list
#   make check-regression   tests of others, without the module, with it, and beside a lease
#   make regression-table   Documentation/regression.rst, from its results
#   make filesystem-table   Documentation/filesystems.rst, from the results of make check
#
# Everything is built and run in an environment that scripts/setup makes; with
# KDIR=/path/to/a/kernel/build the modules are built for that kernel instead,
# with the tools that built it.

# Kbuild reads this file as well when it is asked for a path below it.
ifeq ($(KERNELRELEASE),)

SHELL := /bin/bash
.DELETE_ON_ERROR:

export PINLEASE_CHECK_ARGS PINLEASE_FUZZ_ARGS
N ?= 30

.PHONY: all modules debug-modules programs demo bench bench-table check check-debug check-debug-short check-crash check-crash-mutants \
	check-mutants check-regression fuzz \
	lint unit man deb check-debian check-tutorial docs rustdoc rust-analyzer check-rust-analyzer \
	filesystem-table regression-table clean help

all: modules programs

ifdef KDIR
modules:
	scripts/check-kdir $(KDIR)
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules
	mkdir -p out
	cp pinlease.ko samples/bench/pinbench.ko samples/dmasim/dmasim.ko samples/edu/edu.ko samples/livepatch/patch_tracking.ko out/
else
modules:
	scripts/build modules
endif

debug-modules:
	scripts/build debug-modules

programs:
	scripts/build programs

demo: modules programs
	out/programs/demo --programs out/programs --out out

# From the quick to the slow; the last line counts the tests.
check: lint unit modules programs man
	out/programs/bench --programs out/programs --out out --quick --mode icount --fs ext4 pin_4k >/dev/null
	out/programs/check --programs out/programs --out out --fs ext4 --vm-arg=--append=movablecore=700M --side pinlease \
		uapi.pin-movable s01
	out/programs/tutorial
	out/programs/check --programs out/programs --out out $(PINLEASE_CHECK_ARGS)

check-debug: debug-modules programs
	out/programs/check --kernel debug --programs out/programs --out out $(PINLEASE_CHECK_ARGS)

check-debug-short: PINLEASE_CHECK_ARGS = --fs ext4 --side pinlease --side grant \
	s01 s08-termination.freeze hooks breaks.flow breaks.crossed uapi.pin uapi.mark grants.uring leaks
check-debug-short: check-debug

# The last lines, one for each filesystem, have the counts.
check-crash: modules programs
	out/programs/crash --programs out/programs --out out --cuts $(N) $(if $(SEED),--seed $(SEED)) \
		$(addprefix --fs ,$(FS)) $(CRASH_ARGS)

# Exits with 0 only if both are found.
check-crash-mutants: modules programs
	for mutant in early lying-disk; do \
		out/programs/crash --programs out/programs --out out --cuts $(N) $(if $(SEED),--seed $(SEED)) \
			$(addprefix --fs ,$(or $(FS),ext4)) --mutant $$mutant $(CRASH_ARGS) || exit; \
	done

check-mutants: programs
	scripts/check-mutants

fuzz: modules programs
	out/programs/fuzz --programs out/programs --out out $(PINLEASE_FUZZ_ARGS)

# Whether the bars are met is in the report; the exit status says whether all was measured.
bench: modules programs
	out/programs/bench --programs out/programs --out out $(BENCH_ARGS)

bench-table: programs
	out/programs/bench --out out --table Documentation/performance-figures.rst

lint:
	scripts/enter scripts/lint

unit:
	scripts/enter scripts/unit-tests

man:
	scripts/man

deb:
	scripts/deb

check-debian: deb programs
	scripts/enter out/programs/check-debian --programs out/programs --out out $(CHECK_DEBIAN_ARGS)

docs:
	scripts/enter scripts/docs

check-tutorial: modules programs
	out/programs/tutorial

rustdoc:
	scripts/enter scripts/rustdoc

rust-analyzer:
	scripts/enter scripts/rust-analyzer

check-rust-analyzer:
	scripts/enter scripts/rust-analyzer --check

filesystem-table: programs
	out/programs/filesystem-table

check-regression:
	scripts/check-regression

regression-table:
	scripts/check-regression --table

clean:
	rm -rf out
	find . -path ./.git -prune -o \( -name '*.o' -o -name '*.ko' -o -name '*.mod' \
		-o -name '*.mod.c' -o -name '.*.cmd' -o -name '.*.d' -o -name '*.so' \
		-o -name generated.rs -o -name Module.symvers -o -name modules.order \
		-o -name .module-common.o \) -exec rm -f {} +

help:
	@sed -n 's/^#   //p' Makefile

endif
