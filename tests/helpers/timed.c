/* SPDX-License-Identifier: MIT */
/*
 * timed: how long a program takes, from fork to the end of its process, without
 * the weight of whoever measures.
 *
 *   timed [--chroot DIR] [--chdir DIR] -- /path argv…
 *
 * The program's output goes through a pipe, as it does in a service, and then to
 * stderr. Prints milliseconds on stdout; exits as the program did.
 */
#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct option long_options[] = {
	{"chroot", 1, NULL, 'r'},
	{"chdir", 1, NULL, 'd'},
	{NULL, 0, NULL, 0},
};

static _noreturn_ void child(const char *root, const char *folder, int out, char **argv)
{
	if ((root && (chroot(root) < 0 || chdir("/") < 0)) || (folder && chdir(folder) < 0) || dup2(out, 1) < 0) {
		fprintf(stderr, "timed: %s\n", strerror(errno));
		_exit(126);
	}
	execv(argv[0], argv);
	fprintf(stderr, "timed: %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

int main(int argc, char **argv)
{
	const char *root = NULL, *folder = NULL;
	int c, out[2], status = 0;
	char data[65536];
	uint64_t begun;
	ssize_t n;
	pid_t pid;

	while ((c = getopt_long(argc, argv, "+", long_options, NULL)) != -1) {
		if (c != 'r' && c != 'd')
			return 2;
		*(c == 'r' ? &root : &folder) = optarg;
	}
	if (optind == argc || pipe2(out, O_CLOEXEC) < 0)
		return 2;
	begun = cuv_now_ns();
	pid = fork();
	if (pid < 0)
		return 2;
	if (pid == 0)
		child(root, folder, out[1], argv + optind);
	close(out[1]);
	while ((n = read(out[0], data, sizeof(data))) > 0)
		(void)cuv_write_all(2, data, (size_t)n);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	printf("%.3f\n", (double)(cuv_now_ns() - begun) / 1e6);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
