/* SPDX-License-Identifier: MIT */
#include "cli/cgroup.h"
#include "cli/doctor.h"

#include "lib/base/child.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/ids.h"
#include "lib/base/landlock.h"
#include "lib/base/parse.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define GROUP "host"
#define COMMAND_MS 10000
#define NIX_MAJOR 2
#define NIX_MINOR 8
/* mount_setattr; openat2 and subset=pid are older. */
#define KERNEL_MAJOR 5
#define KERNEL_MINOR 12

/* "2.8" at the first digit of text; false when there is none. */
static bool find_version(const char *text, unsigned *major, unsigned *minor)
{
	text += strcspn(text, "0123456789");
	return sscanf(text, "%u.%u", major, minor) == 2;
}

static bool is_older(unsigned major, unsigned minor, unsigned than_major, unsigned than_minor)
{
	return major < than_major || (major == than_major && minor < than_minor);
}

/* The first line that a command prints; "" when it can't be run. */
static void first_line(const char *command, const char *option, char *ret, size_t size)
{
	_cleanup_strv_ struct cuv_strv argv = CUV_STRV_INIT, env = CUV_STRV_INIT;
	_cleanup_child_result_ struct cuv_child_result result = CUV_CHILD_RESULT_INIT;
	struct cuv_child_spec spec = CUV_CHILD_SPEC_INIT;

	ret[0] = '\0';
	if (cuv_strv_add(&argv, "/usr/bin/env") < 0 || cuv_strv_add(&argv, command) < 0 ||
	    cuv_strv_add(&argv, option) < 0 ||
	    cuv_strv_addf(&env, "PATH=%s", getenv("PATH") ? getenv("PATH") : "/usr/local/bin:/usr/bin:/bin") < 0 ||
	    cuv_strv_add(&env, "HOME=/") < 0 ||
	    /* Else Nix looks for the user, who may have no entry in passwd. */
	    cuv_strv_add(&env, "NIX_USER_CONF_FILES=/dev/null") < 0)
		return;
	spec.path = "/usr/bin/env";
	spec.argv = &argv;
	spec.env = &env;
	spec.deadline_ns = cuv_deadline_ms(COMMAND_MS);
	if (cuv_child_run(&spec, &result) == 0 && cuv_child_ok(&result))
		snprintf(ret, size, "%.*s", (int)strcspn(cuv_buf_str(&result.out), "\n"), cuv_buf_str(&result.out));
}

static void check_nix(struct cuv_findings *f)
{
	struct cuv_finding *x = cuv_findings_add(f, GROUP, "nix", CUV_FOUND_MISSING);
	unsigned major, minor;
	char line[128];

	first_line("nix", "--version", line, sizeof(line));
	if (!line[0]) {
		cuv_finding_text(x, "nix is not in PATH");
		cuv_finding_fix(x, "make deps, or: apt-get install nix-bin");
	} else if (!find_version(line, &major, &minor) || is_older(major, minor, NIX_MAJOR, NIX_MINOR)) {
		cuv_finding_text(x, "%s", line);
		cuv_finding_fix(x, "install Nix %d.%d or newer", NIX_MAJOR, NIX_MINOR);
	} else {
		x->state = CUV_FOUND_OK;
		cuv_finding_text(x, "%s", line);
	}
}

static void check_kernel(struct cuv_findings *f)
{
	struct cuv_finding *x = cuv_findings_add(f, GROUP, "kernel", CUV_FOUND_OK);
	unsigned major, minor;
	struct utsname u;

	if (uname(&u) < 0)
		return;
	cuv_finding_text(x, "%s %s %s", u.sysname, u.release, u.machine);
	if (!find_version(u.release, &major, &minor) || is_older(major, minor, KERNEL_MAJOR, KERNEL_MINOR)) {
		x->state = CUV_FOUND_MISSING;
		cuv_finding_fix(x, "boot a kernel of %d.%d or newer", KERNEL_MAJOR, KERNEL_MINOR);
	} else if (strcmp(u.machine, "x86_64") != 0) {
		x->state = CUV_FOUND_MISSING;
		cuv_finding_fix(x, "use an x86_64 machine; there are no images for others yet");
	}
}

/* A number in /proc/sys; -1 when there is no such file. */
static int64_t read_sysctl(const char *path)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(4096);
	uint64_t value;

	if (cuv_read_file(AT_FDCWD, path, &b) < 0)
		return -1;
	while (b.len && b.data[b.len - 1] == '\n')
		b.data[--b.len] = '\0';
	return cuv_parse_u64(cuv_buf_str(&b), INT64_MAX, &value) < 0 ? -1 : (int64_t)value;
}

static void check_namespaces(struct cuv_findings *f)
{
	struct cuv_finding *x = cuv_findings_add(f, GROUP, "user-namespaces", CUV_FOUND_OK);
	int64_t max = read_sysctl("/proc/sys/user/max_user_namespaces");

	cuv_finding_text(x, "allowed, at most %lld", (long long)max);
	if (max <= 0) {
		x->state = CUV_FOUND_MISSING;
		cuv_finding_text(x, "the kernel gives none");
		cuv_finding_fix(x, "sysctl -w user.max_user_namespaces=15000");
	} else if (!cuv_ids_are_root() && read_sysctl("/proc/sys/kernel/unprivileged_userns_clone") == 0) {
		x->state = CUV_FOUND_MISSING;
		cuv_finding_text(x, "not for ordinary users");
		cuv_finding_fix(x, "sysctl -w kernel.unprivileged_userns_clone=1");
	} else if (!cuv_ids_are_root() && read_sysctl("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1) {
		x->state = CUV_FOUND_MISSING;
		cuv_finding_text(x, "AppArmor takes their rights from ordinary users'");
		cuv_finding_fix(x, "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0");
	}
}

/* A line "name:first:count" or "uid:first:count" for us. */
static bool has_subids(const char *path, const char *name)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(1024 * 1024);
	const char *line;
	char uid[16];
	size_t n;

	snprintf(uid, sizeof(uid), "%u", geteuid());
	if (cuv_read_file(AT_FDCWD, path, &b) < 0)
		return false;
	for (line = cuv_buf_str(&b); *line; line += n + (line[n] ? 1 : 0)) {
		size_t key = strcspn(line, ":\n");

		n = strcspn(line, "\n");
		if (line[key] == ':' && ((strlen(name) == key && memcmp(line, name, key) == 0) ||
					 (strlen(uid) == key && memcmp(line, uid, key) == 0)))
			return true;
	}
	return false;
}

static void check_subids(struct cuv_findings *f)
{
	struct cuv_finding *x = cuv_findings_add(f, GROUP, "subordinate-ids", CUV_FOUND_OK);
	const struct passwd *pw = getpwuid(geteuid());
	const char *name = pw ? pw->pw_name : "";
	char user[64];

	if (cuv_ids_are_root()) {
		cuv_finding_text(x, "not needed by root");
		return;
	}
	cuv_finding_text(x, "in /etc/subuid and /etc/subgid, with newuidmap");
	snprintf(user, sizeof(user), "%.32s", name);
	if (!pw)
		snprintf(user, sizeof(user), "%u", geteuid());
	/* What it costs is the layer uid-separation, which stands below. */
	if (access("/usr/bin/newuidmap", X_OK) < 0 || access("/usr/bin/newgidmap", X_OK) < 0) {
		x->state = CUV_FOUND_INFO;
		cuv_finding_text(x, "newuidmap is not installed");
		cuv_finding_fix(x, "apt-get install uidmap");
	} else if (!has_subids("/etc/subuid", name) || !has_subids("/etc/subgid", name)) {
		x->state = CUV_FOUND_INFO;
		cuv_finding_text(x, "none for %s", user);
		cuv_finding_fix(x, "usermod --add-subuids 1900000000-1900065535 --add-subgids 1900000000-1900065535 %s",
				user);
	}
}

static void check_cgroups(struct cuv_findings *f)
{
	struct cuv_finding *x = cuv_findings_add(f, GROUP, "cgroups", CUV_FOUND_OK);
	_cleanup_buf_ struct cuv_buf mounts = CUV_BUF_INIT(1024 * 1024), own = CUV_BUF_INIT(1024 * 1024);
	static const char *const controllers[] = {"memory", "pids", "cpu"};
	struct cuv_cgroup_place place;
	char text[200] = "";
	size_t i, at = 0;

	if (cuv_read_file(AT_FDCWD, "/proc/self/mountinfo", &mounts) < 0 ||
	    cuv_read_file(AT_FDCWD, "/proc/self/cgroup", &own) < 0) {
		x->state = CUV_FOUND_INFO;
		cuv_finding_text(x, "/proc can't be read");
		return;
	}
	for (i = 0; i < ARRAY_SIZE(controllers); i++) {
		int n;

		if (cuv_cgroup_find(cuv_buf_str(&mounts), cuv_buf_str(&own), controllers[i], &place) < 0)
			n = snprintf(text + at, sizeof(text) - at, "%s%s not mounted", at ? ", " : "", controllers[i]);
		else
			n = snprintf(text + at, sizeof(text) - at, "%s%s v%d", at ? ", " : "", controllers[i],
				     place.version);
		at += n > 0 ? (size_t)n : 0;
	}
	cuv_finding_text(x, "%s", text);
}

static void check_landlock(struct cuv_findings *f)
{
	struct cuv_finding *x = cuv_findings_add(f, GROUP, "kernel-landlock", CUV_FOUND_OK);
	int abi = cuv_landlock_abi();

	cuv_finding_text(x, "version %d", abi);
	if (abi < 1) {
		x->state = CUV_FOUND_INFO;
		cuv_finding_text(x, "the kernel has none");
		cuv_finding_fix(x, "boot with landlock in the kernel's lsm= list (5.13 or newer)");
	}
}

static void check_seccomp(struct cuv_findings *f)
{
	struct cuv_finding *x = cuv_findings_add(f, GROUP, "kernel-seccomp", CUV_FOUND_OK);
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(4096);

	if (cuv_read_file(AT_FDCWD, "/proc/sys/kernel/seccomp/actions_avail", &b) < 0 || b.len == 0) {
		x->state = CUV_FOUND_MISSING;
		cuv_finding_text(x, "the kernel has no filters");
		cuv_finding_fix(x, "boot a kernel with CONFIG_SECCOMP_FILTER");
		return;
	}
	cuv_finding_text(x, "filters, with %.*s", (int)strcspn(cuv_buf_str(&b), "\n"), cuv_buf_str(&b));
}

void cuv_doctor_host(struct cuv_findings *f)
{
	check_kernel(f);
	check_nix(f);
	check_namespaces(f);
	check_subids(f);
	check_cgroups(f);
	check_landlock(f);
	check_seccomp(f);
}
