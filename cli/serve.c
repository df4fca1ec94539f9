/* SPDX-License-Identifier: MIT */
/*
 * cuvette serve: the supervisor.
 *
 * Theory of operation. One thread, which after start only waits. It holds the
 * lock on the state folder (run/serve.lock), the sockets that join its three
 * children and their control sockets, and parses nothing that a client sent: of
 * each child it reads READY, LISTENING or FAILURE until it is ready, before a
 * client can reach it, and never again.
 *
 *   start   lock → state folder → {launcher ∥ builder} READY → manager READY
 *           → note the URL in the lock file → one line on stdout
 *   wait    for a signal (signalfd) or a child's end (pidfd), which is started
 *           again (tend.h)
 *   stop    SIGTERM to the manager, which finishes its requests; when it has
 *           ended or its time is over: hang up on launcher and builder, SIGTERM,
 *           then SIGKILL. A second signal cuts all waiting short.
 *
 * A child that can't be started in the beginning ends all. One that dies later
 * is somebody's bug or the machine's shortage, and costs the runs that it had:
 * each is answered with a failure that can be tried again, or, where it was the
 * manager, by the end of the connection.
 *
 * Killed ourselves, we leave nothing that runs: the children have PDEATHSIG and
 * see their control socket hang up; keepers and boxes hang on the launcher in
 * the same way. What remains are files: two sockets and a lock file without a
 * lock, cgroups without processes. The next start takes their place.
 */
#include "cli/command.h"
#include "cli/crew.h"
#include "cli/dotenv.h"
#include "cli/front.h"
#include "cli/serve_settings.h"
#include "cli/state.h"
#include "cli/tend.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* The manager keeps its own drain deadline; this is what it gets beyond. */
#define DRAIN_SLACK_MS 5000

/* SIGTERM, SIGINT and SIGHUP as a descriptor. One that we inherited as ignored
 * (nohup; `&` in a script) stays ignored. */
static int open_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	(void)signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* The waiting. 0: a signal asked us to stop. */
static int watch(const struct cuv_crew_spec *spec, struct cuv_crew *crew, int signals)
{
	int signal_number, r = cuv_tend(spec, crew, signals, &signal_number);

	if (r < 0)
		cuv_say("poll: %s", strerror(-r));
	else
		cuv_say("%s: letting requests finish (once more: stop at once)", strsignal(signal_number));
	return r;
}

/* listen: where a manager that is started again listens: a port that was free to
 * choose has been chosen. */
static int start_all(const struct cuv_serve_settings *s, struct cuv_crew_spec *spec, int lock, char listen[32],
		     struct cuv_crew *crew, struct cuv_error *err)
{
	unsigned port;
	char url[128];
	int r = cuv_crew_start_workers(spec, crew, err);

	if (r == 0)
		r = cuv_crew_start_manager(spec, crew, err);
	if (r < 0)
		return r;
	port = crew->member[CUV_ROLE_MANAGER].port ? crew->member[CUV_ROLE_MANAGER].port : s->port;
	snprintf(listen, 32, "%s:%u", s->host, port);
	spec->listen = listen;
	snprintf(url, sizeof(url), "http://%s:%u", s->host, port);
	r = cuv_state_note_service(lock, url);
	if (r < 0)
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "the lock file can't be written (%s)", strerror(-r));
	if (spec->allow_degraded[0])
		cuv_say("warning: allowed to run without these layers of isolation: %s", spec->allow_degraded);
	printf("cuvette: ready on %s%s%s\n", url, s->front.path ? " and " : "", s->front.path ? s->front.path : "");
	fflush(stdout);
	return 0;
}

static int serve(const struct cuv_serve_settings *s, const struct cuv_state *state, int lock)
{
	_cleanup_close_ int signals = open_signals(), log = -1;
	_cleanup_front_ struct cuv_front front = CUV_FRONT_INIT;
	struct cuv_crew crew = CUV_CREW_INIT;
	char instance[CUV_INSTANCE_NAME_SIZE], listen[sizeof(s->listen)];
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_crew_spec spec = {
		.state = state,
		.instance = instance,
		.allow_degraded = s->allow_degraded,
		.boxes = s->boxes,
		.zygote_args = &s->zygote_args,
		.sockets = true,
		.again = true,
		.log_fd = STDERR_FILENO,
		.builder_limits = {.memory_bytes = s->builder_memory_bytes, .processes = s->builder_processes},
		.env_budget = s->env_budget,
		.no_sdists = s->no_sdists,
		.lock_kinds = s->lock_kinds,
		.wheelhouse = s->wheelhouse,
		.share = s->share,
		.listen = s->listen,
		.front_fd = -1,
		.clients = s->clients,
		.request_memory = s->request_memory,
		.drain = s->drain,
		.sharing = cuv_sharing_name(s->sharing),
		.lint_servers = s->lint_servers,
		.runs_queue = s->runs_queue,
		.runs_at_once = s->runs_at_once,
		.api_key = s->api_key,
		.origins = s->origins,
		.jobe_env = s->jobe_env,
		.limits = s->limits,
		.prewarm = s->prewarm,
		.cancel_fd = signals,
	};
	int r, status;

	if (signals < 0) {
		cuv_say("signalfd: %s", strerror(-signals));
		return CUV_EXIT_FAILED;
	}
	if (s->log) {
		log = open(s->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
		if (log < 0) {
			cuv_say("the log %s can't be opened: %m", s->log);
			return CUV_EXIT_USAGE;
		}
		spec.log_fd = log;
	}
	cuv_crew_instance("serve", instance);
	if (cuv_front_open(&s->front, &front, &err) < 0) {
		cuv_say_error(&err, NULL);
		return CUV_EXIT_FAILED;
	}
	spec.front_fd = front.fd;
	r = start_all(s, &spec, lock, listen, &crew, &err);
	if (r == 0) {
		status = watch(&spec, &crew, signals) == 0 ? CUV_EXIT_OK : CUV_EXIT_FAILED;
	} else if (r == -EINTR) {
		status = CUV_EXIT_OK;
	} else {
		cuv_say_error(&err, NULL);
		status = CUV_EXIT_FAILED;
	}
	cuv_crew_stop(&crew, status == CUV_EXIT_OK ? s->drain_ms + DRAIN_SLACK_MS : 0, signals);
	return status;
}

/* Settings of another service whose clients we serve (docs/dialects.md): who brings them along counts on what they
 * would do there. */
static void warn_of_others(const struct cuv_strv *dotenv)
{
	static const char *const names[] = {"BASE_SESSION_PATH", "REDIS_URL", "S3_BUCKET_NAME"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *here = getenv(names[i]), *there = cuv_dotenv_get(dotenv, names[i]);

		if ((here && here[0]) || (there && there[0]))
			cuv_say("warning: %s has no effect: sessions, their files and tasks are in the state folder "
				"(--state)",
				names[i]);
	}
}

int cuv_cmd_serve(int argc, char **argv)
{
	_cleanup_serve_settings_ struct cuv_serve_settings s;
	_cleanup_state_ struct cuv_state state = CUV_STATE_INIT;
	_cleanup_close_ int lock = -1;
	struct cuv_error err = CUV_ERROR_INIT;
	enum cuv_parsed parsed = cuv_serve_settings_read(argc, argv, &s);

	if (parsed != CUV_PARSED_GO)
		return parsed == CUV_PARSED_HELP ? CUV_EXIT_OK : CUV_EXIT_USAGE;
	/* The manager's alone; our pointer to it stays good. */
	(void)unsetenv("API_KEY");
	warn_of_others(&s.values.kept);
	if (s.check) {
		cuv_serve_settings_print(&s);
		return CUV_EXIT_OK;
	}
	if (cuv_state_open(s.state, &state, &err) < 0) {
		cuv_say_error(&err, NULL);
		return CUV_EXIT_FAILED;
	}
	lock = cuv_state_lock_service(&state, &err);
	if (lock < 0) {
		cuv_say_error(&err, NULL);
		return CUV_EXIT_FAILED;
	}
	if (cuv_state_note_service(lock, NULL) < 0) {
		cuv_say("%s/run/serve.lock can't be written: %m", state.path);
		return CUV_EXIT_FAILED;
	}
	return serve(&s, &state, lock);
}
