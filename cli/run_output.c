/* SPDX-License-Identifier: MIT */
#include "cli/run_output.h"

#include "cli/command.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* poll says that a pipe is writable when this much fits in: such a write never
 * blocks, so Ctrl-C is heard although nobody reads. */
#define WRITE_MAX 4096

#define EXIT_TIMEOUT 124
#define EXIT_OUT_OF_MEMORY 137
#define EXIT_OUTPUT_LIMIT 153 /* 128 + SIGXFSZ: a file too large */

void cuv_run_output_clear(struct cuv_run_output *o)
{
	cuv_progress_clear(&o->progress);
}

static void on_progress(void *arg, const struct cuv_env_progress *p)
{
	struct cuv_run_output *o = arg;

	cuv_progress_show(&o->progress, p);
}

static void on_started(void *arg)
{
	cuv_run_output_clear(arg);
}

static void on_output(void *arg, enum cuv_stream stream, const uint8_t *data, size_t len)
{
	struct cuv_run_output *o = arg;
	int fd = stream == CUV_STREAM_STDERR ? STDERR_FILENO : STDOUT_FILENO;

	while (len && !o->failed) {
		int r = cuv_cancel_wait(o->cancel, fd, POLLOUT);
		ssize_t n = r < 0 ? -1 : write(fd, data, CUV_MIN(len, (size_t)WRITE_MAX));

		if (r == -ECANCELED)
			return;
		if (n < 0 && (r < 0 || (errno != EINTR && errno != EAGAIN))) {
			o->failed = r < 0 ? r : -errno;
			cuv_cancel_now(o->cancel);
			return;
		}
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
}

void cuv_run_output_events(struct cuv_run_output *o, bool collect, struct cuv_job_events *ret)
{
	*ret = CUV_JOB_EVENTS_INIT;
	ret->arg = o;
	ret->progress = on_progress;
	ret->started = on_started;
	if (!collect)
		ret->output = on_output;
	ret->cancel_fd = o->cancel->fd;
}

int cuv_run_output_file(const char *path, const struct cuv_buf *data)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);

	return fd < 0 ? -errno : cuv_write_all(fd, cuv_buf_str(data), data->len);
}

static void say_timeout(const struct cuv_run_result *r, const struct cuv_limits *l)
{
	uint64_t ms = r->cpu_timeout ? cuv_limits_cpu_ms(l) : l->value[CUV_LIMIT_WALL];

	cuv_say("stopped after %llu.%03llu s of %s (%s)", (unsigned long long)(ms / 1000),
		(unsigned long long)(ms % 1000), r->cpu_timeout ? "CPU time" : "wall time",
		r->cpu_timeout ? "--cpu-time" : "--timeout");
}

int cuv_run_exit_status(const struct cuv_run_result *r, const struct cuv_limits *limits)
{
	switch (r->status) {
	case CUV_RUN_SUCCESS:
	case CUV_RUN_ERROR:
		return r->exit_code & 0xff;
	case CUV_RUN_TIMEOUT:
		say_timeout(r, limits);
		return EXIT_TIMEOUT;
	case CUV_RUN_OUT_OF_MEMORY:
		cuv_say("out of memory: the run took more than %llu MiB (--memory)",
			(unsigned long long)(limits->value[CUV_LIMIT_MEMORY] / CUV_MIB));
		return EXIT_OUT_OF_MEMORY;
	case CUV_RUN_OUTPUT_LIMIT:
		cuv_say("stopped: more than %llu bytes on %s (--%s-limit)",
			(unsigned long long)limits->value[r->stdout_truncated ? CUV_LIMIT_STDOUT : CUV_LIMIT_STDERR],
			r->stdout_truncated ? "stdout" : "stderr", r->stdout_truncated ? "stdout" : "stderr");
		return EXIT_OUTPUT_LIMIT;
	case CUV_RUN_KILLED:
		cuv_say("ended by signal %d (%s)", r->signal, strsignal(r->signal));
		return 128 + r->signal;
	case CUV_RUN_FAILED:
	case _CUV_RUN_STATUS_MAX:
	default:
		cuv_say("the run could not be carried to its end, which is our fault; it can be started again");
		return CUV_EXIT_UNAVAILABLE;
	}
}
