/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/sealed.h"

#include "lib/base/fd.h"
#include "lib/base/landlock.h"
#include "nixenv/builder/seal.h"
#include "nixenv/builder/state.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEAL_BYTES (1024u * 1024u)
#define PROGRAM_BYTES_MAX (64u * 1024u * 1024u)
#define INSIDE "/work"

static int enter_seal(void *arg)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWIPC) < 0)
		return -errno;
	return cuv_seal_enter(arg);
}

/* This program as a file of ours: where it lies may be closed to the builder's user,
 * and what /proc leads to is no mount of the child's namespace. */
static int copy_program(const char *path)
{
	_cleanup_close_ int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0700);

	return from < 0 || to < 0 ? -errno : cuv_copy_file(from, to, PROGRAM_BYTES_MAX);
}

static int run(const struct cuv_sealed *s, const char *tool, const char *root, struct cuv_child_result *ret)
{
	const unsigned exec = CUV_LANDLOCK_READ | CUV_LANDLOCK_EXEC, write = CUV_LANDLOCK_READ | CUV_LANDLOCK_WRITE;
	const struct cuv_seal_bind binds[] = {
		{tool, "/tool", exec, false},
		{"/usr", "/usr", exec, false},
		{"/lib", "/lib", exec, true},
		{"/lib64", "/lib64", exec, true},
		{s->folder, INSIDE, write, false},
		{"/dev/null", "/dev/null", write, false},
		{"/dev/urandom", "/dev/urandom", CUV_LANDLOCK_READ, false},
	};
	struct cuv_seal seal = {.root = root,
				.binds = binds,
				.n_binds = ARRAY_SIZE(binds),
				.cwd = INSIDE,
				.size_bytes = SEAL_BYTES,
				.landlock = s->landlock};
	_cleanup_strv_ struct cuv_strv env = CUV_STRV_INIT;
	struct cuv_child_spec spec = CUV_CHILD_SPEC_INIT;

	if (cuv_strv_add(&env, "HOME=" INSIDE) < 0)
		return -ENOMEM;
	spec.path = "/tool";
	spec.argv = s->argv;
	spec.env = &env;
	spec.stdin_fd = s->stdin_fd;
	spec.limits = s->limits;
	spec.stderr_max = s->stderr_max;
	spec.deadline_ns = s->deadline_ns;
	spec.cancel_fd = s->cancel_fd;
	spec.before_exec = enter_seal;
	spec.arg = &seal;
	return cuv_child_run(&spec, ret);
}

int cuv_sealed_run(const struct cuv_sealed *s, struct cuv_child_result *ret)
{
	char tool[PATH_MAX], root[PATH_MAX];
	int r;

	cuv_path_join(s->work, "sealed-tool", tool);
	cuv_path_join(s->work, "sealed-root", root);
	(void)unlink(tool);
	if (mkdir(root, 0755) < 0 && errno != EEXIST)
		return -errno;
	r = copy_program(tool);
	if (r == 0)
		r = run(s, tool, root, ret);
	(void)unlink(tool);
	return r;
}
