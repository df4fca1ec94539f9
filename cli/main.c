/* SPDX-License-Identifier: MIT */
/*
 * cuvette: one command over the same three processes.
 *
 * Theory of operation. This program never touches a user's code, a package or
 * the store itself. It starts cuvette-launcher, cuvette-builder and
 * cuvette-manager (`serve`), or the first two (`run`, `doctor`, when no service
 * is there to attach to), gives each its descriptors, and talks with them in
 * the messages of lib/proto. `run` is a client like the manager: it drives the
 * same job (manager/job.h) over the same two kinds of session.
 *
 *   serve   supervisor: lock, sockets, children, signals     serve.c supervise.c
 *   run     one job, its output here                         run.c run_*.c
 *   doctor  asks host and processes what is there            doctor.c doctor_*.c
 *   status  is a service running on this state, and where    status.c
 *   env     the environments of the store                    env.c env_*.c
 *   key     API keys                                         key.c
 *
 * Below them: state.c (the state folder), child.c (one child process), crew.c
 * (launcher and builder together, with or without the manager), options.c.
 */
#include "cli/command.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *text;
} commands[] = {
	{"serve", cuv_cmd_serve, "start the service: HTTP on loopback"},
	{"run", cuv_cmd_run, "run a file in its environment, sealed, and show its output here"},
	{"doctor", cuv_cmd_doctor, "say what isolates a run on this host, what is missing and what to do"},
	{"status", cuv_cmd_status, "say whether a service runs on a state folder, and its URL"},
	{"env", cuv_cmd_env, "list, show, build, pin, verify, evict, carry environments"},
	{"key", cuv_cmd_key, "make, list and revoke API keys"},
};

static void print_help(FILE *to)
{
	size_t i;

	fputs("Usage: cuvette COMMAND [OPTIONS]\n\nFiles in, a pinned environment and a sealed run, the answer and a "
	      "digest out.\n\n",
	      to);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].text);
	fputs("\n`cuvette COMMAND --help` tells a command's options; `cuvette --version` the version.\n", to);
}

/* stdout may be a full disk or a closed pipe; what was printed must be there. */
static int finish(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	cuv_say("can't write the output: %m");
	return status ? status : CUV_EXIT_FAILED;
}

/* Started with a standard descriptor closed, the next file opened would get its
 * number, and a program's output would be written to it. */
static bool have_std_fds(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) != fd)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	size_t i;

	if (!have_std_fds())
		return CUV_EXIT_FAILED;
	if (sodium_init() < 0) {
		cuv_say("libsodium can't be initialised (no random numbers?)");
		return CUV_EXIT_FAILED;
	}
	if (argc < 2) {
		print_help(stderr);
		return CUV_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		print_help(stdout);
		return finish(CUV_EXIT_OK);
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("cuvette " CUV_VERSION);
		return finish(CUV_EXIT_OK);
	}
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return finish(commands[i].run(argc - 1, argv + 1));
	cuv_say("there is no command '%s'; `cuvette --help` lists them", argv[1]);
	return CUV_EXIT_USAGE;
}
