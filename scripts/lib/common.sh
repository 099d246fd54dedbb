# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034 # what is set here is used by those who source it
#
# Shared by setup and enter: where things are, how to report, how to be root without being root.

scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
tree=$(dirname "$scripts")
suite=trixie
cache=${PINLEASE_CACHE:-${HOME:?}/.cache/pinlease}
suite_dir=$cache/$suite
packages=$scripts/packages.txt

# Inside the environment there is nothing to set up or to enter.
inside_environment() { [[ -e /etc/pinlease/environment ]]; }

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
	say "error: $*"
	exit 1
}

# A short name for the content of files and strings.
key_of() { sha256sum | cut -c1-12; }

# The name of a stage's product changes with everything that goes into it, so that a stage is current when the file of
# that name exists, and trees with different package lists can share one cache.
base_key() {
	{
		cat "$scripts/lib/make-base"
		[[ ! -e $suite_dir/epoch ]] || cat "$suite_dir/epoch"
	} | key_of
}
root_key() {
	{
		base_key
		sed 's/#.*//; /^[[:space:]]*$/d' "$packages"
		cat "$scripts/lib/make-root"
	} | key_of
}
kernel_key() { cat "$root/etc/pinlease/versions" "$scripts/lib/make-kernel" "$scripts/lib/make-kdir" | key_of; }
debug_key() {
	{
		kernel_key
		cat "$scripts/lib/make-debug-kernel" "$scripts/debug.config"
	} | key_of
}

base=$suite_dir/base.$(base_key).tar
root=$suite_dir/root.$(root_key)
# Only known once the root is there, since the suite decides which kernel it is.
kernel_dir() { printf '%s/kernel.%s\n' "$suite_dir" "$(kernel_key)"; }
debug_dir() { printf '%s/debug.%s\n' "$suite_dir" "$(debug_key)"; }

# The command that runs another in a mount namespace of its own, as root or as root of a user namespace.
namespace=(unshare --mount)
((EUID == 0)) || namespace=(unshare --map-root-user --map-auto --mount)
