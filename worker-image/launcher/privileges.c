/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/privileges.h"

#include "lib/base/sys.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOCKED_SECUREBITS                                                                                              \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED |               \
	 SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

#define CAP_BIT(cap) (1ull << (cap))
#define MAKER_CAPS                                                                                                     \
	(CAP_BIT(CAP_SYS_ADMIN) | CAP_BIT(CAP_NET_ADMIN) | CAP_BIT(CAP_SYS_PTRACE) | CAP_BIT(CAP_DAC_READ_SEARCH) |    \
	 CAP_BIT(CAP_KILL) | CAP_BIT(CAP_SYS_CHROOT))
#define ZYGOTE_CAPS (CAP_BIT(CAP_SYS_ADMIN) | CAP_BIT(CAP_SYS_CHROOT))

static int set_caps_of(uint64_t caps, uint64_t inheritable)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{.effective = (uint32_t)caps, .permitted = (uint32_t)caps, .inheritable = (uint32_t)inheritable},
		{.effective = (uint32_t)(caps >> 32),
		 .permitted = (uint32_t)(caps >> 32),
		 .inheritable = (uint32_t)(inheritable >> 32)},
	};

	return (int)cuv_sys(SYS_capset, &head, data);
}

static int set_caps(uint64_t caps)
{
	return set_caps_of(caps, 0);
}

static int lock_bits_and_bounds(void)
{
	int cap;

	if (prctl(PR_SET_SECUREBITS, LOCKED_SECUREBITS, 0, 0, 0) < 0)
		return -errno;
	/* Up to the first number that this kernel doesn't know. */
	for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -errno;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int cuv_privileges_lock(void)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	return lock_bits_and_bounds();
}

int cuv_privileges_keep_maker(void)
{
	return set_caps(MAKER_CAPS);
}

int cuv_privileges_keep_zygote(void)
{
	int cap, r = set_caps_of(ZYGOTE_CAPS | CAP_BIT(CAP_SETPCAP), ZYGOTE_CAPS);

	if (r < 0)
		return r;
	for (cap = 0; cap <= CAP_LAST_CAP; cap++)
		if ((ZYGOTE_CAPS & CAP_BIT(cap)) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return -errno;
	r = lock_bits_and_bounds();
	return r < 0 ? r : set_caps_of(ZYGOTE_CAPS, ZYGOTE_CAPS);
}

int cuv_privileges_drop_all(void)
{
	return set_caps(0);
}

int cuv_privileges_keep_kill(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return set_caps(1ull << CAP_KILL);
}

bool cuv_privileges_are_none(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	int cap, r;

	if (syscall(SYS_capget, &head, data) < 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return false;
	for (cap = 0; (r = prctl(PR_CAPBSET_READ, cap, 0, 0, 0)) >= 0; cap++)
		if (r != 0)
			return false;
	return !(data[0].effective | data[0].permitted | data[0].inheritable | data[1].effective | data[1].permitted |
		 data[1].inheritable);
}

int cuv_close_others(int *keep, size_t n)
{
	unsigned from = 3;
	size_t i, j;
	int r = 0;

	for (i = 1; i < n; i++) /* few and nearly sorted */
		for (j = i; j > 0 && keep[j - 1] > keep[j]; j--) {
			int t = keep[j];

			keep[j] = keep[j - 1];
			keep[j - 1] = t;
		}
	for (i = 0; i < n && r == 0; i++) {
		if (keep[i] < (int)from)
			continue;
		if ((unsigned)keep[i] > from)
			r = (int)cuv_sys(SYS_close_range, from, (unsigned)keep[i] - 1, 0);
		from = (unsigned)keep[i] + 1;
	}
	return r < 0 ? r : (int)cuv_sys(SYS_close_range, from, ~0u, 0);
}
