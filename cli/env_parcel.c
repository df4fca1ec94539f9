/* SPDX-License-Identifier: MIT */
/* cuvette env export, import: environments as files. */
#include "cli/command.h"
#include "cli/env.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STATE, QUIET, JSON };
#define COMMON                                                                                                         \
	[STATE] = {"state", 's', "DIR", "CUVETTE_STATE", NULL, "the state folder"}, [QUIET] = {"quiet", 'q',           \
											       NULL,	NULL,          \
											       NULL,	"no progress"}
static const struct cuv_option export_options[] = {COMMON};
static const struct cuv_option import_options[] = {
	COMMON,
	[JSON] = {"json", 0, NULL, NULL, NULL, "print what it holds, as JSON"},
};

#define STATUS(what)                                                                                                   \
	"Exit status: 0; 1 there is no such environment; 2 wrong words" what "; 3 the builder, space or\n"             \
	"(for wheels that the store has no more) the index is not to be had."
static const struct cuv_usage export_usage = {
	.command = "env export",
	.operands = "DIGEST [FILE]",
	.about = "Writes the lock and the wheels of an environment to a file (without: stdout), with which\n"
		 "`cuvette env import` makes the same environment on a machine that has no network.",
	.more = STATUS(""),
	.options = export_options,
	.n_options = ARRAY_SIZE(export_options),
	.dotenv = true,
	.mixed = true,
};
static const struct cuv_usage import_usage = {
	.command = "env import",
	.operands = "FILE",
	.about =
		"Makes the environment of a file that `cuvette env export` wrote (`-`: stdin), and prints its digest.\n"
		"Every wheel is checked against the lock, and what the lock comes to against the file's digest.",
	.more = STATUS(", or a file that is no such one"),
	.options = import_options,
	.n_options = ARRAY_SIZE(import_options),
	.dotenv = true,
	.mixed = true,
};

/* A file that takes its name when it is whole. */
struct target {
	const char *name; /* NULL: stdout */
	char partial[PATH_MAX];
	int fd;
};

static int target_open(struct target *t, struct cuv_error *err)
{
	if (!t->name) {
		t->fd = dup(STDOUT_FILENO);
		return t->fd < 0 ? cuv_error_set_errno(err, -errno, "stdout: %s", strerror(errno)) : 0;
	}
	if (snprintf(t->partial, sizeof(t->partial), "%s.XXXXXX", t->name) >= (int)sizeof(t->partial))
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "the file's name is too long");
	t->fd = mkostemp(t->partial, O_CLOEXEC);
	if (t->fd < 0)
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "%s can't be written: %s", t->name, strerror(errno));
	return 0;
}

/* good: it is whole. */
static int target_close(struct target *t, bool good, struct cuv_error *err)
{
	const mode_t mask = umask(0);
	int r = 0;

	(void)umask(mask);
	if (!t->name || t->fd < 0) {
		t->fd = cuv_close(t->fd);
		return 0;
	}
	if (good && (fchmod(t->fd, 0666 & ~mask) < 0 || fsync(t->fd) < 0 || rename(t->partial, t->name) < 0))
		r = cuv_error_set(err, CUV_E_NO_SPACE, "%s can't be written: %s", t->name, strerror(errno));
	if (!good || r < 0)
		(void)unlink(t->partial);
	t->fd = cuv_close(t->fd);
	return r;
}

static int export_to(const struct cuv_values *v, struct cuv_env_peer *peer, struct target *t, struct cuv_error *err)
{
	_cleanup_chore_ask_ struct cuv_chore_ask ask = CUV_CHORE_ASK_INIT;
	json_t *answer;

	ask.verb = CUV_CHORE_EXPORT;
	if (cuv_strv_add(&ask.digests, v->operands[0]) < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	if (cuv_env_peer_open(peer, v->value[STATE].text, err) < 0 || target_open(t, err) < 0)
		return -EIO;
	answer = cuv_env_peer_chore(peer, &ask, t->fd, err);
	json_decref(answer);
	return answer ? 0 : -EIO;
}

int cuv_env_export(int argc, char **argv)
{
	_cleanup_values_ struct cuv_values v = CUV_VALUES_INIT;
	enum cuv_parsed parsed = cuv_options_parse(&export_usage, argc, argv, &v);
	struct cuv_env_peer peer = CUV_ENV_PEER_INIT;
	struct cuv_error err = CUV_ERROR_INIT;
	struct target target = {.fd = -1};
	int r, status = CUV_EXIT_OK;

	if (parsed != CUV_PARSED_GO)
		return parsed == CUV_PARSED_HELP ? CUV_EXIT_OK : CUV_EXIT_USAGE;
	if (v.n_operands < 1 || v.n_operands > 2 || !cuv_env_digest_valid(v.operands[0])) {
		cuv_say("env export takes a digest of `cuvette env list` and the file to write");
		return CUV_EXIT_USAGE;
	}
	if (v.n_operands == 2)
		target.name = v.operands[1];
	else if (isatty(STDOUT_FILENO)) {
		cuv_say("env export: name a file; the bytes are nothing for a terminal");
		return CUV_EXIT_USAGE;
	}
	if (v.value[QUIET].text)
		peer.progress.how = CUV_PROGRESS_NONE;
	r = export_to(&v, &peer, &target, &err);
	if (target_close(&target, r == 0, &err) < 0 || r < 0)
		status = cuv_env_fail(&err, NULL);
	cuv_env_peer_close(&peer);
	return status;
}

static json_t *import_from(const struct cuv_values *v, struct cuv_env_peer *peer, struct cuv_error *err)
{
	const char *name = v->operands[0];
	_cleanup_chore_ask_ struct cuv_chore_ask ask = CUV_CHORE_ASK_INIT;
	_cleanup_close_ int fd =
		strcmp(name, "-") == 0 ? dup(STDIN_FILENO) : open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	ask.verb = CUV_CHORE_IMPORT;
	if (fd < 0) {
		(void)cuv_error_set(err, CUV_E_FIELD_INVALID, "%s can't be read: %s", name, strerror(errno));
		return NULL;
	}
	if (cuv_env_peer_open(peer, v->value[STATE].text, err) < 0)
		return NULL;
	return cuv_env_peer_chore(peer, &ask, fd, err);
}

int cuv_env_import(int argc, char **argv)
{
	_cleanup_values_ struct cuv_values v = CUV_VALUES_INIT;
	enum cuv_parsed parsed = cuv_options_parse(&import_usage, argc, argv, &v);
	struct cuv_env_peer peer = CUV_ENV_PEER_INIT;
	struct cuv_error err = CUV_ERROR_INIT;
	json_t *answer;
	int status = CUV_EXIT_OK;

	if (parsed != CUV_PARSED_GO)
		return parsed == CUV_PARSED_HELP ? CUV_EXIT_OK : CUV_EXIT_USAGE;
	if (v.n_operands != 1) {
		cuv_say("env import takes one file, or `-`");
		return CUV_EXIT_USAGE;
	}
	if (v.value[QUIET].text)
		peer.progress.how = CUV_PROGRESS_NONE;
	answer = import_from(&v, &peer, &err);
	if (!answer)
		status = cuv_env_fail(&err, NULL);
	else if (v.value[JSON].text)
		cuv_env_print_json(answer);
	else
		puts(json_string_value(json_object_get(answer, "digest")));
	json_decref(answer);
	cuv_env_peer_close(&peer);
	return status;
}
