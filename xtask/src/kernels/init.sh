#!/busybox sh
# The first process of a machine: mounts the host's root, does what is to be done there, switches off.
for program in mount mkdir insmod ip chroot poweroff sed; do
    alias $program="/busybox $program"
done
for module in /*.ko; do insmod $module; done
mkdir /host /repository
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro host /host
mount -t proc proc /host/proc
repository=$(sed 's/.* repository=//' /host/proc/cmdline)
# The repository may be in /tmp.
mount -o bind "/host$repository" /repository
mount -t tmpfs tmpfs /host/tmp
mkdir -p "/host$repository"
mount -o bind /repository "/host$repository"
mount -t sysfs sysfs /host/sys
mount -t cgroup2 cgroup2 /host/sys/fs/cgroup
# As systemd does. Before any controller is enabled, a cgroup has no perf events, either.
echo +memory >/host/sys/fs/cgroup/cgroup.subtree_control
for what in tracefs:tracing debugfs:debug; do
    mount -t ${what%:*} none /host/sys/kernel/${what#*:}
done
mount -t securityfs none /host/sys/kernel/security
mount -t devtmpfs devtmpfs /host/dev
mkdir -p /host/dev/pts /host/dev/shm
mount -t devpts devpts /host/dev/pts
mount -t tmpfs tmpfs /host/dev/shm
ip link set lo up
# As systemd has them.
ulimit -Hn 524288
ulimit -Sn 1024
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
chroot /host /bin/sh -s </job 2>&1
poweroff -f
