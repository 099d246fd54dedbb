#!/busybox sh
# SPDX-License-Identifier: GPL-2.0
# The first process of the guest: makes its file tree, then becomes the guest program.
# The environment is read-only below; what is written goes to memory.
export PATH=/
for applet in insmod mkdir mount chroot; do /busybox ln -s /busybox "/$applet"; done
set -e
mkdir /lower /upper /tree
for module in $(/busybox cat /modules/order); do
	insmod "/modules/$module.ko"
done
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro root /lower
mount -t tmpfs upper /upper
mkdir /upper/data /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work overlay /tree
mkdir -p /tree/pinlease
mount --bind /pinlease /tree/pinlease
cd /tree
mount --move . /
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin exec /chroot . /pinlease/.vm/guest
