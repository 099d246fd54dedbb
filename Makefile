# SPDX-License-Identifier: GPL-2.0
#
#   make        out/pinlease.ko, out/dmasim.ko, out/pinlease
#   make demo   what the stock kernel loses and what pinlease keeps
#   make check  all tests
#   make check-debug   all tests on a kernel with KASAN, lockdep and more, which is built first
#   make fuzz   operations drawn by chance, on each filesystem for some minutes
#   make man    the man pages of the command, in out/man
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

.PHONY: all modules debug-modules programs demo check check-debug fuzz lint unit man filesystem-table clean help

all: modules programs

ifdef KDIR
modules:
	scripts/check-kdir $(KDIR)
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules
	mkdir -p out
	cp pinlease.ko samples/dmasim/dmasim.ko out/
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
	out/programs/check --programs out/programs --out out $(PINLEASE_CHECK_ARGS)

check-debug: debug-modules programs
	out/programs/check --kernel debug --programs out/programs --out out $(PINLEASE_CHECK_ARGS)

fuzz: modules programs
	out/programs/fuzz --programs out/programs --out out $(PINLEASE_FUZZ_ARGS)

lint:
	scripts/enter scripts/lint

unit:
	scripts/enter scripts/unit-tests

man:
	scripts/man

filesystem-table: programs
	out/programs/filesystem-table

clean:
	rm -rf out
	find . -path ./.git -prune -o \( -name '*.o' -o -name '*.ko' -o -name '*.mod' \
		-o -name '*.mod.c' -o -name '.*.cmd' -o -name '.*.d' -o -name '*.so' \
		-o -name generated.rs -o -name Module.symvers -o -name modules.order \
		-o -name .module-common.o \) -exec rm -f {} +

help:
	@sed -n 's/^#   //p' Makefile

endif
