/* SPDX-License-Identifier: MIT */
#include "worker-image/image/rootfs.h"

#include "lib/base/buf.h"
#include "lib/base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIPLE "x86_64-linux-gnu"
#define CERTIFICATES "usr/share/ca-certificates/mozilla"
#define CERTIFICATE_BYTES_MAX (64u << 10)
#define BUNDLE_BYTES_MAX (4u << 20)
#define COMPILE_MS_MAX (10 * 60 * 1000)
#define COMPILE_CPU_S_MAX 300u
#define COMPILE_MEMORY_BYTES_MAX (2048ull << 20)

/* Empty folders: mount points of a box, and homes. */
static const char *const folders[] = {
	"nix/store", "proc", "dev", "sys", "run", "tmp", "box", "home/cuvette", "root", "usr/sbin", "usr/lib64",
};

struct pair {
	const char *path, *text;
};

static const struct pair links[] = {
	{"bin", "usr/bin"},
	{"sbin", "usr/sbin"},
	{"lib", "usr/lib"},
	{"lib64", "usr/lib64"},
	{"etc/localtime", "../usr/share/zoneinfo/Etc/UTC"},
	/* Where OpenSSL of Debian looks. */
	{"usr/lib/ssl/cert.pem", "../../../etc/ssl/certs/ca-certificates.crt"},
	{"usr/lib/ssl/certs", "../../../etc/ssl/certs"},
};

static const struct pair texts[] = {
	{"etc/passwd", "root:x:0:0:root:/root:/usr/sbin/nologin\n"
		       "cuvette:x:1000:1000:cuvette:/home/cuvette:/bin/sh\n"
		       "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"},
	{"etc/group", "root:x:0:\n"
		      "cuvette:x:1000:\n"
		      "nogroup:x:65534:\n"},
	/* Files only: a box has no network, and a look-up fails at once. */
	{"etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\ngshadow: files\n"
			      "hosts: files\nnetworks: files\nprotocols: files\nservices: files\n"
			      "ethers: files\nrpc: files\n"},
	{"etc/hosts", "127.0.0.1\tlocalhost cuvette\n::1\tlocalhost cuvette\n"},
	{"etc/hostname", "cuvette\n"},
	{"etc/resolv.conf", ""},
	{"etc/timezone", "Etc/UTC\n"},
};

static int failed(struct cuv_error *err, const char *what, int r)
{
	(void)cuv_error_set(err, CUV_E_BUILD_FAILED, "%s: %s", what, strerror(-r));
	return r;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_certificate(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return len > 4 && strcmp(d->d_name + len - 4, ".crt") == 0;
}

/* One file of all certificates in the order of their names' bytes, which no
 * locale changes. An image without certificates gets none. */
static int add_certificates(struct cuv_tree *t, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf bundle = CUV_BUF_INIT(BUNDLE_BYTES_MAX);
	_cleanup_close_ int at = openat(t->root_fd, CERTIFICATES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **names = NULL;
	int r = 0;

	if (at < 0)
		return errno == ENOENT ? 0 : failed(err, "cannot open the certificates", -errno);
	int n = scandirat(at, ".", &names, is_certificate, by_bytes);
	if (n < 0)
		return failed(err, "cannot list the certificates", -errno);
	for (int i = 0; i < n; i++) {
		_cleanup_buf_ struct cuv_buf one = CUV_BUF_INIT(CERTIFICATE_BYTES_MAX);

		if (r == 0)
			r = cuv_read_file(at, names[i]->d_name, &one);
		if (r == 0)
			r = cuv_buf_add(&bundle, one.data, one.len);
		if (r == 0 && one.len > 0 && one.data[one.len - 1] != '\n')
			r = cuv_buf_add_char(&bundle, '\n');
		free(names[i]);
	}
	free((void *)names);
	if (r < 0)
		return failed(err, "cannot read a certificate", r);
	return cuv_tree_add_text(t, "etc/ssl/certs/ca-certificates.crt", cuv_buf_str(&bundle), err);
}

int cuv_rootfs_finish(struct cuv_tree *t, const char *python, struct cuv_error *err)
{
	char interpreter[32];
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(folders); i++)
		r = cuv_tree_add_folder(t, folders[i], err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(links); i++)
		r = cuv_tree_add_link(t, links[i].path, links[i].text, err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(texts); i++)
		r = cuv_tree_add_text(t, texts[i].path, texts[i].text, err);
	if (r == 0)
		r = add_certificates(t, err);
	if (r < 0 || strcmp(python, "-") == 0)
		return r;
	/* As Debian's python3 and python-is-python3 have them. */
	(void)snprintf(interpreter, sizeof(interpreter), "python%s", python);
	r = cuv_tree_add_link(t, "usr/bin/python3", interpreter, err);
	return r < 0 ? r : cuv_tree_add_link(t, "usr/bin/python", "python3", err);
}

static void limit(int what, rlim_t value)
{
	(void)setrlimit((__rlimit_resource_t)what, &(struct rlimit){.rlim_cur = value, .rlim_max = value});
}

/* In the child. Every setting that could change a byte of a .pyc is named: the
 * environment is built anew, one process compiles all files in sorted order
 * (marshal's output depends on which objects are shared), the hash seed is
 * fixed. -I would ignore the environment, so -s -S do its work. */
_noreturn_ static void exec_compileall(const char *root, const char *python)
{
	char ld[4096], libs[8192], interpreter[4096], home[4096], stdlib[4096];

	(void)snprintf(ld, sizeof(ld), "%s/usr/lib/" TRIPLE "/ld-linux-x86-64.so.2", root);
	(void)snprintf(libs, sizeof(libs), "%s/usr/lib/" TRIPLE ":%s/usr/lib", root, root);
	(void)snprintf(interpreter, sizeof(interpreter), "%s/usr/bin/python%s", root, python);
	(void)snprintf(home, sizeof(home), "PYTHONHOME=%s/usr", root);
	(void)snprintf(stdlib, sizeof(stdlib), "%s/usr/lib/python%s", root, python);
	const char *const argv[] = {ld,
				    "--inhibit-cache",
				    "--library-path",
				    libs,
				    interpreter,
				    "-B",
				    "-s",
				    "-S",
				    "-m",
				    "compileall",
				    "-q",
				    "-f",
				    "--invalidation-mode",
				    "unchecked-hash",
				    "-s",
				    root,
				    "-p",
				    "/",
				    stdlib,
				    NULL};
	const char *const envp[] = {
		home, "PYTHONHASHSEED=0", "PYTHONUTF8=1", "PYTHONDONTWRITEBYTECODE=1", "LC_ALL=C", "TZ=UTC", NULL};

	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, COMPILE_CPU_S_MAX);
	limit(RLIMIT_AS, COMPILE_MEMORY_BYTES_MAX);
	/* execve's type is older than const; it changes nothing. */
	(void)execve(ld, (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)envp);
	_exit(127);
}

int cuv_rootfs_compile(const char *root_path, const char *python, struct cuv_error *err)
{
	siginfo_t info = {0};

	pid_t pid = fork();
	if (pid < 0)
		return failed(err, "cannot start the interpreter", -errno);
	if (pid == 0)
		exec_compileall(root_path, python);
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	if (pidfd < 0 || poll(&p, 1, COMPILE_MS_MAX) != 1)
		(void)kill(pid, SIGKILL);
	if (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0)
		return failed(err, "cannot wait for the interpreter", -errno);
	if (info.si_code == CLD_EXITED && info.si_status == 0)
		return 0;
	(void)cuv_error_set(err, CUV_E_BUILD_FAILED, "byte-compiling the standard library ended with %s %d",
			    info.si_code == CLD_EXITED ? "status" : "signal", info.si_status);
	return -ECHILD;
}
