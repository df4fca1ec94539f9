/* SPDX-License-Identifier: MIT */
/*
 * The calls no run may make. EPERM where a program should read "not allowed";
 * ENOSYS where programs know how to do without (they probe, then fall back); DONE
 * where they would take an error for a failure, and nothing has to happen. Two are
 * a zygote's way of putting a run into its box (seccomp_delta.h).
 */
#include "worker-image/launcher/seccomp.h"
#include "worker-image/launcher/seccomp_numbers.h"

#include <errno.h>

#define DONE 0
#define DENY(call, errno_, reason)                                                                                     \
	{                                                                                                              \
		.nr = __NR_##call, .name = #call, .error = (errno_), .why = (reason)                                   \
	}
#define ONLY_ZYGOTE(call, errno_, reason)                                                                              \
	{                                                                                                              \
		.nr = __NR_##call, .name = #call, .error = (errno_), .zygote = true, .why = (reason)                   \
	}

static const struct cuv_seccomp_call denied[] = {
	/* namespaces and the mount table: the walls of the box */
	DENY(unshare, EPERM, "makes namespaces, where a program would hold capabilities"),
	ONLY_ZYGOTE(setns, EPERM, "enters namespaces; a zygote its children's box"),
	DENY(clone3, ENOSYS, "its flags are in memory, out of the filter's sight; libc falls back to clone"),
	DENY(mount, EPERM, "changes the mount table"),
	DENY(umount2, EPERM, "changes the mount table"),
	DENY(pivot_root, EPERM, "changes the root"),
	DENY(chroot, EPERM, "changes the root"),
	DENY(open_tree, EPERM, "new mount interface"),
	DENY(open_tree_attr, EPERM, "new mount interface"),
	DENY(move_mount, EPERM, "new mount interface"),
	DENY(fsopen, EPERM, "new mount interface"),
	DENY(fsconfig, EPERM, "new mount interface"),
	DENY(fsmount, EPERM, "new mount interface"),
	DENY(fspick, EPERM, "new mount interface"),
	DENY(mount_setattr, EPERM, "new mount interface"),
	DENY(statmount, ENOSYS, "tells where the host keeps its files"),
	DENY(listmount, ENOSYS, "tells where the host keeps its files"),
	DENY(sethostname, EPERM, "host set-up"),
	DENY(setdomainname, EPERM, "host set-up"),

/* other runs: the image's files are shared inodes, and the number of watches is the
 * launcher's user's. Watchers fall back to polling on ENOSYS. */
#ifdef __NR_inotify_init
	DENY(inotify_init, ENOSYS, "watches files that other runs use"),
#endif
	DENY(inotify_init1, ENOSYS, "watches files that other runs use"),
	DENY(inotify_add_watch, ENOSYS, "watches files that other runs use"),
	DENY(inotify_rm_watch, ENOSYS, "watches files that other runs use"),

	/* other processes */
	DENY(ptrace, EPERM, "controls other processes; a rich source of kernel bugs"),
	DENY(process_vm_readv, EPERM, "other processes' memory"),
	DENY(process_vm_writev, EPERM, "other processes' memory"),
	DENY(process_madvise, EPERM, "other processes' memory"),
	DENY(process_mrelease, EPERM, "other processes' memory"),
	DENY(pidfd_getfd, EPERM, "takes descriptors out of other processes"),
	DENY(kcmp, EPERM, "compares kernel addresses"),
	DENY(migrate_pages, EPERM, "other processes' memory"),
	DENY(move_pages, EPERM, "other processes' memory"),

	/* parts of the kernel that no computation needs */
	DENY(add_key, EPERM, "keyrings are not separated by namespaces"),
	DENY(request_key, EPERM, "keyrings are not separated by namespaces"),
	DENY(keyctl, EPERM, "keyrings are not separated by namespaces"),
	DENY(bpf, EPERM, "kernel programs"),
	DENY(perf_event_open, EPERM, "observes the whole machine"),
	DENY(userfaultfd, EPERM, "makes kernel races winnable"),
	DENY(io_uring_setup, EPERM, "does calls that this filter never sees"),
	DENY(io_uring_enter, EPERM, "does calls that this filter never sees"),
	DENY(io_uring_register, EPERM, "does calls that this filter never sees"),
	DENY(fanotify_init, EPERM, "watches whole file systems"),
	DENY(fanotify_mark, EPERM, "watches whole file systems"),
	DENY(name_to_handle_at, EPERM, "file handles reach past the root"),
	DENY(open_by_handle_at, EPERM, "file handles reach past the root"),
	DENY(memfd_secret, ENOSYS, "memory that the kernel can't account or move"),
	DENY(cachestat, ENOSYS, "tells which files other runs use"),
	DENY(mbind, ENOSYS, "memory placement is the host's; libnuma does without"),
	DENY(set_mempolicy, ENOSYS, "memory placement is the host's; libnuma does without"),
	DENY(set_mempolicy_home_node, ENOSYS, "memory placement is the host's"),
	DENY(get_mempolicy, ENOSYS, "says 'no NUMA here' to libnuma, which fits the others"),
	ONLY_ZYGOTE(capset, EPERM, "capabilities; there are none, and a zygote's child gives them up"),
	DENY(io_setup, ENOSYS, "asynchronous requests, of which the whole host has one number"),
	DENY(io_destroy, ENOSYS, "asynchronous requests"),
	DENY(io_submit, ENOSYS, "asynchronous requests"),
	DENY(io_cancel, ENOSYS, "asynchronous requests"),
	DENY(io_getevents, ENOSYS, "asynchronous requests"),
	DENY(io_pgetevents, ENOSYS, "asynchronous requests"),
	DENY(vmsplice, ENOSYS, "keeps pages that were shared by a fork, past the copy that should part them"),
	DENY(remap_file_pages, ENOSYS, "obsolete; a source of kernel bugs"),
	DENY(sync, DONE, "would write the host's disks back; a box has none to lose"),
	DENY(syncfs, DONE, "would write the host's disks back"),
	DENY(fsync, DONE,
	     "on a file of the image, has the host's disk empty its cache; memory has nothing to write back"),
	DENY(fdatasync, DONE, "likewise"),
	DENY(syslog, EPERM, "the kernel's log"),
	DENY(lsm_get_self_attr, ENOSYS, "the host's security module"),
	DENY(lsm_set_self_attr, ENOSYS, "the host's security module"),
	DENY(lsm_list_modules, ENOSYS, "the host's security module"),
	DENY(file_setattr, ENOSYS, "file system attributes"),

	/* System V IPC and POSIX queues: objects that outlive processes */
	DENY(shmget, EPERM, "System V IPC"),
	DENY(shmat, EPERM, "System V IPC"),
	DENY(shmdt, EPERM, "System V IPC"),
	DENY(shmctl, EPERM, "System V IPC"),
	DENY(semget, EPERM, "System V IPC"),
	DENY(semop, EPERM, "System V IPC"),
	DENY(semtimedop, EPERM, "System V IPC"),
	DENY(semctl, EPERM, "System V IPC"),
	DENY(msgget, EPERM, "System V IPC"),
	DENY(msgsnd, EPERM, "System V IPC"),
	DENY(msgrcv, EPERM, "System V IPC"),
	DENY(msgctl, EPERM, "System V IPC"),
	DENY(mq_open, EPERM, "message queues"),
	DENY(mq_unlink, EPERM, "message queues"),
	DENY(mq_timedsend, EPERM, "message queues"),
	DENY(mq_timedreceive, EPERM, "message queues"),
	DENY(mq_notify, EPERM, "message queues"),
	DENY(mq_getsetattr, EPERM, "message queues"),

	/* the administration of the machine; needs capabilities anyway */
	DENY(kexec_load, EPERM, "administration"),
#ifdef __NR_kexec_file_load
	DENY(kexec_file_load, EPERM, "administration"),
#endif
	DENY(init_module, EPERM, "administration"),
	DENY(finit_module, EPERM, "administration"),
	DENY(delete_module, EPERM, "administration"),
	DENY(reboot, EPERM, "administration"),
	DENY(swapon, EPERM, "administration"),
	DENY(swapoff, EPERM, "administration"),
	DENY(acct, EPERM, "administration"),
	DENY(quotactl, EPERM, "administration"),
	DENY(quotactl_fd, EPERM, "administration"),
	DENY(settimeofday, EPERM, "the host's clock"),
	DENY(clock_settime, EPERM, "the host's clock"),
	DENY(clock_adjtime, EPERM, "the host's clock"),
	DENY(adjtimex, EPERM, "the host's clock"),
	DENY(vhangup, EPERM, "terminals"),
	DENY(lookup_dcookie, EPERM, "kernel profiling"),
	DENY(nfsservctl, ENOSYS, "gone from the kernel"),

/* only on x86 */
#ifdef __NR_modify_ldt
	DENY(modify_ldt, EPERM, "segments; a source of kernel bugs"),
	DENY(iopl, EPERM, "input and output ports"),
	DENY(ioperm, EPERM, "input and output ports"),
	DENY(uselib, ENOSYS, "obsolete"),
	DENY(ustat, ENOSYS, "obsolete"),
	DENY(sysfs, ENOSYS, "obsolete"),
	DENY(_sysctl, ENOSYS, "obsolete"),
	DENY(create_module, ENOSYS, "obsolete"),
	DENY(get_kernel_syms, ENOSYS, "obsolete"),
	DENY(query_module, ENOSYS, "obsolete"),
	DENY(vserver, ENOSYS, "obsolete"),
	DENY(getpmsg, ENOSYS, "never was"),
	DENY(putpmsg, ENOSYS, "never was"),
	DENY(afs_syscall, ENOSYS, "never was"),
	DENY(tuxcall, ENOSYS, "never was"),
	DENY(security, ENOSYS, "never was"),
	DENY(epoll_ctl_old, ENOSYS, "never was"),
	DENY(epoll_wait_old, ENOSYS, "never was"),
	DENY(set_thread_area, ENOSYS, "only for 32-bit programs"),
	DENY(get_thread_area, ENOSYS, "only for 32-bit programs"),
	DENY(uretprobe, ENOSYS, "the kernel's own return from a probe"),
	DENY(uprobe, ENOSYS, "the kernel's own return from a probe"),
#endif
};

const struct cuv_seccomp_call *cuv_seccomp_denied(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(denied);
	return denied;
}
