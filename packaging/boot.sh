#!/bin/bash
# Boots systemd of a root in namespaces of its own, with a network that has only loopback, and nothing of this machine in it:
# boot.sh ROOT. It ends with this process. Needs root.
set -euo pipefail

root=$1
if [ -d /sys/fs/cgroup/systemd ]; then
    group=/sys/fs/cgroup/systemd/icecast-balancer-boot-$$
else
    group=/sys/fs/cgroup/icecast-balancer-boot-$$
fi
mkdir "$group"
echo $$ >"$group/cgroup.procs"

# shellcheck disable=SC2016 # for the inner shell
exec unshare --fork --kill-child --pid --mount --uts --ipc --net --cgroup bash -euc '
root=$1
ip link set lo up
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
if [ -d /sys/fs/cgroup/systemd ]; then
    mount -t tmpfs tmpfs "$root/sys/fs/cgroup"
    mkdir "$root/sys/fs/cgroup/systemd"
    mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
else
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
fi
for folder in run tmp dev; do mount -t tmpfs tmpfs "$root/$folder"; done
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm" "$root/dev/pts" "$root/dev/mqueue" "$root/old"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
cd "$root"
pivot_root . old
umount -l /old
rmdir /old
# Credentials of services are mounts that must be seen everywhere.
mount --make-rshared /
export container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec /lib/systemd/systemd --log-target=journal systemd.unit=multi-user.target
' boot "$root"
