/* SPDX-License-Identifier: MIT */
/*
 * cuvette status: is a service running on this state folder, and where? With
 * --wait it is the way for scripts to wait until one takes runs.
 */
#include "cli/command.h"
#include "cli/options.h"
#include "cli/state.h"
#include "lib/base/clock.h"
#include "lib/base/parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PAUSE_NS 10000000
#define WAIT_MS_MAX 600000

enum { STATE, WAIT };
static const struct cuv_option options[] = {
	[STATE] = {"state", 's', "DIR", "CUVETTE_STATE", NULL, "the state folder"},
	[WAIT] = {"wait", 'w', "S", NULL, NULL, "wait up to so many seconds until one is ready"},
};
static const struct cuv_usage usage = {
	.command = "status",
	.operands = "",
	.about = "Prints the URL of the service that runs on the state folder. Exit status: 0 it is ready,\n"
		 "1 none runs or it is not ready, 3 it can't be known (another user's).",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.dotenv = true,
};

/* 1 with the note when it is ready, 0 when not, negative with err set. */
static int look(const char *text, struct cuv_service_note *ret, struct cuv_error *err)
{
	_cleanup_state_ struct cuv_state state = CUV_STATE_INIT;
	int r = cuv_state_look(text, &state, err);

	*ret = (struct cuv_service_note){0};
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	r = cuv_state_service(&state, ret);
	if (r < 0)
		cuv_error_set(err, CUV_E_UNAVAILABLE, "%s/run can't be read (%s)", state.path, strerror(-r));
	return r <= 0 ? r : ret->url[0] != '\0';
}

int cuv_cmd_status(int argc, char **argv)
{
	_cleanup_values_ struct cuv_values v;
	enum cuv_parsed parsed = cuv_options_parse(&usage, argc, argv, &v);
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_service_note note;
	uint64_t wait_ms = 0, deadline;
	int r;

	if (parsed != CUV_PARSED_GO)
		return parsed == CUV_PARSED_HELP ? CUV_EXIT_OK : CUV_EXIT_USAGE;
	if (v.value[WAIT].text && cuv_parse_milli(v.value[WAIT].text, WAIT_MS_MAX, &wait_ms) < 0) {
		cuv_say("--wait %s is not a number of seconds up to %d", v.value[WAIT].text, WAIT_MS_MAX / 1000);
		return CUV_EXIT_USAGE;
	}
	deadline = cuv_deadline_ms(wait_ms);
	for (;;) {
		r = look(v.value[STATE].text, &note, &err);
		if (r != 0 || cuv_now_ns() >= deadline)
			break;
		nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
	}
	if (r < 0) {
		cuv_say("%s", err.message);
		return CUV_EXIT_UNAVAILABLE;
	}
	if (r == 0) {
		puts(note.pid ? "a service is starting" : "no service runs here");
		return CUV_EXIT_FAILED;
	}
	puts(note.url);
	return CUV_EXIT_OK;
}
