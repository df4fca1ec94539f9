/* SPDX-License-Identifier: MIT */
#include "manager/seal.h"

#include "lib/base/landlock.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int failed(struct cuv_error *err, const char *what, int number)
{
	cuv_error_set(err, CUV_E_UNAVAILABLE, "the manager can't be sealed: %s: %s", what, strerror(number));
	return -number;
}

static int shut_files(bool may_miss, bool *ret_landlock, struct cuv_error *err)
{
	_cleanup_landlock_ struct cuv_landlock l = CUV_LANDLOCK_INIT;
	/* TCP: the listening socket is still to be bound; the filter forbids the
	 * rest of it. */
	int r = cuv_landlock_init(&l, CUV_LANDLOCK_SCOPE);

	*ret_landlock = r == 0;
	if (r == 0)
		r = cuv_landlock_restrict(&l);
	else if (may_miss)
		return 0;
	if (r == -ENOSYS || r == -EOPNOTSUPP) {
		cuv_error_set(
			err, CUV_E_UNAVAILABLE,
			"this kernel has no Landlock, which shuts the manager off from files: boot with `landlock` in "
			"the lsm= list, or start with --allow-degraded landlock");
		return r;
	}
	return r < 0 ? failed(err, "landlock", -r) : 0;
}

static void empty_bounding_set(void)
{
	int cap;

	/* Fails with EINVAL after the last one, and with EPERM without privilege,
	 * when there is nothing to take. */
	for (cap = 0; cap <= 63; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			break;
}

int cuv_seal_early(rlim_t descriptors, bool may_miss, rlim_t *ret_descriptors, bool *ret_landlock,
		   struct cuv_error *err)
{
	struct rlimit files, zero = {0, 0};

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return failed(err, "getrlimit", errno);
	files.rlim_cur = files.rlim_max = CUV_MIN(descriptors, files.rlim_max);
	if (setrlimit(RLIMIT_NOFILE, &files) < 0 || setrlimit(RLIMIT_CORE, &zero) < 0)
		return failed(err, "setrlimit", errno);
	*ret_descriptors = files.rlim_cur;
	empty_bounding_set();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return failed(err, "no_new_privs", errno);
	return shut_files(may_miss, ret_landlock, err);
}

static int drop_ids(uid_t uid, gid_t gid)
{
	uid_t r, e, s;

	/* glibc does these in every thread. */
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	return getresuid(&r, &e, &s) == 0 && r == uid && e == uid && s == uid ? 0 : -EPERM;
}

/* Leaving uid 0 empties all sets of all threads; this makes sure of ours, also
 * where we were not root and had been given some. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}}, have[2];

	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &head, none) < 0 || syscall(SYS_capget, &head, have) < 0)
		return -errno;
	return have[0].permitted || have[1].permitted || have[0].effective || have[1].effective ? -EPERM : 0;
}

int cuv_seal_late(uid_t uid, gid_t gid, struct cuv_error *err)
{
	int r = uid == (uid_t)-1 ? 0 : drop_ids(uid, gid);

	if (r < 0)
		return failed(err, "user id", -r);
	/* A change of ids clears it, whoever set it before. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return failed(err, "death with the supervisor", errno);
	r = drop_capabilities();
	if (r < 0)
		return failed(err, "capabilities", -r);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return failed(err, "dumpable", errno);
	r = cuv_seal_filter();
	return r < 0 ? failed(err, "system call filter", -r) : 0;
}
