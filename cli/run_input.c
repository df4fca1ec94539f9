/* SPDX-License-Identifier: MIT */
#include "cli/run_input.h"

#include "lib/base/fd.h"
#include "lib/base/utf8.h"
#include "manager/run_lock.h"
#include "nixenv/pylock_upload.h"
#include "nixenv/requirements.h"
#include "nixenv/script.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define CHUNK 65536
/* argv[0] and main.py share the bound with the arguments. */
#define ARGS_OURS_BYTES 512

void cuv_run_input_init(struct cuv_run_input *in)
{
	*in = (struct cuv_run_input){
		.code = CUV_BUF_INIT(CUV_CODE_BYTES_MAX + 3), /* and a BOM */
		.requirements = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX),
		.stdin_data = CUV_BUF_INIT(CUV_STDIN_BYTES_MAX),
		.args = CUV_STRV_INIT,
	};
	cuv_run_files_init(&in->files);
}

void cuv_run_input_done(struct cuv_run_input *in)
{
	cuv_buf_done(&in->code);
	in->source = cuv_requirements_free(in->source);
	cuv_run_files_done(&in->files);
	cuv_buf_done(&in->requirements);
	cuv_buf_done(&in->stdin_data);
	cuv_strv_done(&in->args);
}

/* Says what went wrong with reading path, whose content may be max bytes. */
static int say_read(int r, const char *path, size_t max, struct cuv_error *err)
{
	if (r == -E2BIG)
		cuv_error_set(err, CUV_E_TOO_LARGE, "%s is larger than %zu bytes", path, max);
	else if (r < 0)
		cuv_error_set(err, CUV_E_BAD_REQUEST, "%s can't be read (%s)", path, strerror(-r));
	return r;
}

int cuv_run_input_code(struct cuv_run_input *in, const char *path, struct cuv_error *err)
{
	int r = say_read(cuv_read_file(AT_FDCWD, path, &in->code), path, CUV_CODE_BYTES_MAX, err);

	if (r < 0)
		return r;
	if (in->code.len >= 3 && memcmp(in->code.data, "\xef\xbb\xbf", 3) == 0) {
		in->code.len -= 3;
		memmove(in->code.data, in->code.data + 3, in->code.len + 1);
	}
	if (in->code.len > CUV_CODE_BYTES_MAX)
		return say_read(-E2BIG, path, CUV_CODE_BYTES_MAX, err);
	if (in->code.len == 0)
		return cuv_error_set(err, CUV_E_CODE_EMPTY, "%s has no bytes", path);
	if (!cuv_utf8_valid(in->code.data, in->code.len))
		return cuv_error_set(err, CUV_E_CODE_ENCODING, "%s is not UTF-8", path);
	return 0;
}

int cuv_run_input_script(struct cuv_run_input *in, const char *path, const struct cuv_python **python,
			 struct cuv_error *err)
{
	_cleanup_script_ struct cuv_script script = CUV_SCRIPT_INIT;
	const struct cuv_python *chosen;
	const char *slash = strrchr(path, '/');
	int r = cuv_script_read(cuv_buf_str(&in->code), in->code.len, slash ? slash + 1 : path, &script, err);

	if (r <= 0)
		return r;
	chosen = cuv_script_python(&script, *python, err);
	if (!chosen)
		return -EINVAL;
	*python = chosen;
	in->source = TAKE_PTR(script.requirements);
	return say_read(cuv_requirements_canonical(in->source, &in->requirements), path, CUV_REQUIREMENTS_BYTES_MAX,
			err);
}

int cuv_run_input_requirements(struct cuv_run_input *in, const char *path, struct cuv_error *err)
{
	struct cuv_requirements_files files;
	int r;

	if (!path)
		return 0;
	r = say_read(cuv_run_files_open(&in->files, path, &files), path, CUV_REQUIREMENTS_BYTES_MAX, err);
	if (r == 0)
		r = cuv_requirements_parse_files(&files, &in->source, err);
	if (r < 0)
		return r;
	return say_read(cuv_requirements_canonical(in->source, &in->requirements), path, CUV_REQUIREMENTS_BYTES_MAX,
			err);
}

int cuv_run_input_lock(struct cuv_run_input *in, const char *path, const struct cuv_python *python,
		       const struct cuv_run_lock_sets *sets, struct cuv_job_spec *spec, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_UPLOADED_LOCK_BYTES_MAX);
	int r;

	if (!path)
		return 0;
	/* Which kinds are taken is known to who makes the environment. */
	cuv_run_lock_allow(CUV_LOCK_ALL);
	r = say_read(cuv_read_file(AT_FDCWD, path, &text), path, CUV_UPLOADED_LOCK_BYTES_MAX, err);
	if (r == 0)
		r = cuv_run_lock_read(cuv_buf_str(&text), text.len, python, sets, &spec->python, &in->requirements,
				      err);
	if (r < 0)
		return r;
	spec->env_source = CUV_ENV_LOCK;
	spec->requirements = cuv_buf_str(&in->requirements);
	spec->requirements_len = in->requirements.len;
	spec->source = NULL;
	return 0;
}

/* Reads to the end of a descriptor that may make us wait. */
static int read_stream(int fd, struct cuv_buf *b, const struct cuv_cancel *cancel)
{
	for (;;) {
		char chunk[CHUNK];
		ssize_t n;
		int r = cuv_cancel_wait(cancel, fd, POLLIN);

		if (r < 0)
			return r;
		n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n == 0)
			return 0;
		if (n > 0)
			r = cuv_buf_add(b, chunk, (size_t)n);
		if (r < 0)
			return r;
	}
}

int cuv_run_input_stdin(struct cuv_run_input *in, const char *path, const struct cuv_cancel *cancel,
			struct cuv_error *err)
{
	_cleanup_close_ int opened = -1;
	int r;

	if (!path && isatty(STDIN_FILENO))
		return 0;
	if (path) {
		opened = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (opened < 0)
			return say_read(-errno, path, CUV_STDIN_BYTES_MAX, err);
	}
	r = read_stream(path ? opened : STDIN_FILENO, &in->stdin_data, cancel);
	if (r == -ECANCELED)
		return r;
	return say_read(r, path ? path : "stdin", CUV_STDIN_BYTES_MAX, err);
}

int cuv_run_input_args(struct cuv_run_input *in, char *const *args, struct cuv_error *err)
{
	size_t total = ARGS_OURS_BYTES;

	if (*args && strcmp(*args, "--") == 0)
		args++;
	for (; *args; args++) {
		size_t len = strlen(*args);

		total += len + 1;
		if (in->args.n == CUV_ARGS_MAX || len > CUV_ARG_BYTES_MAX || total > CUV_ARGS_BYTES_MAX)
			return cuv_error_set(
				err, CUV_E_TOO_LARGE,
				"the arguments pass their bounds: %d of them, %d bytes each, %d bytes in all",
				CUV_ARGS_MAX, CUV_ARG_BYTES_MAX, CUV_ARGS_BYTES_MAX - ARGS_OURS_BYTES);
		if (cuv_strv_add(&in->args, *args) < 0)
			return cuv_error_set(err, CUV_E_INTERNAL, "no memory for the arguments");
	}
	return 0;
}

void cuv_run_input_apply(const struct cuv_run_input *in, struct cuv_job_spec *spec)
{
	spec->code = cuv_buf_str(&in->code);
	spec->code_len = in->code.len;
	spec->env_source = CUV_ENV_REQUIREMENTS;
	spec->requirements = cuv_buf_str(&in->requirements);
	spec->requirements_len = in->requirements.len;
	spec->source = in->source;
	spec->stdin_data = cuv_buf_str(&in->stdin_data);
	spec->stdin_len = in->stdin_data.len;
	spec->args = &in->args;
}
