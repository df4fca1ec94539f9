/* SPDX-License-Identifier: MIT */
#include "cli/crew.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/hash.h"
#include "lib/base/ids.h"
#include "lib/proto/session.h"
#include "manager/profiles.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define READY_MS 30000
#define WORKERS_END_MS 10000

extern char **environ;

/* Launcher and manager get this much of our environment: they execute nothing
 * of their own accord but, the launcher, newuidmap. The builder gets all of it
 * and hands on by name what resolver and downloads need (proxy, CA file, index
 * settings). */
static int small_environment(struct cuv_strv *ret)
{
	/* The last two mean something to builds with sanitizers only. */
	static const char *const names[] = {"PATH", "TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS"};
	size_t i;
	int r = cuv_strv_add(ret, "LANG=C.UTF-8");

	for (i = 0; r == 0 && i < ARRAY_SIZE(names); i++) {
		const char *value = getenv(names[i]);

		if (value)
			r = cuv_strv_addf(ret, "%s=%s", names[i], value);
	}
	return r;
}

static int add_pair(struct cuv_strv *args, const char *option, const char *value)
{
	int r = cuv_strv_add(args, option);

	return r < 0 ? r : cuv_strv_add(args, value);
}

static int add_number(struct cuv_strv *args, const char *option, unsigned value)
{
	int r = cuv_strv_add(args, option);

	return r < 0 ? r : cuv_strv_addf(args, "%u", value);
}

/* Options that all three know. */
static int add_common(const struct cuv_crew_spec *spec, struct cuv_strv *args)
{
	if (!spec->allow_degraded || !spec->allow_degraded[0])
		return 0;
	return add_pair(args, "--allow-degraded", spec->allow_degraded);
}

static int add_ids(const struct cuv_crew_spec *spec, unsigned id, struct cuv_strv *args)
{
	int r = 0;

	if (!spec->state->root)
		return 0;
	r = add_number(args, "--uid", id);
	return r < 0 ? r : add_number(args, "--gid", id);
}

int cuv_joint_pair(struct cuv_joint *j)
{
	int pair[2];

	if (j->client >= 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	j->worker = pair[0];
	j->client = pair[1];
	return 0;
}

/* A worker's sockets, unless they are there from the time before it died. */
static int open_joint(const struct cuv_crew_spec *spec, const char *path, struct cuv_joint *j, struct cuv_error *err)
{
	int r;

	if (spec->sockets && j->listener < 0) {
		r = cuv_session_listen(path);
		if (r < 0) {
			cuv_error_set(err, CUV_E_UNAVAILABLE, "no socket can be made at %s (%s)", path, strerror(-r));
			return r;
		}
		j->listener = r;
	}
	return cuv_joint_pair(j);
}

/* The listening socket is 4, where there is one; the control 5. */
static int join(const struct cuv_joint *j, struct cuv_daemon_spec *d, struct cuv_strv *args)
{
	int r = j->listener < 0 ? 0 : add_pair(args, "--listen-fd", "4");

	d->fds[0] = j->listener;
	d->fds[1] = j->worker;
	return r < 0 ? r : add_pair(args, "--control-fd", "5");
}

/* The daemon has copies now. Where it is not to be started again, ours would keep
 * a socket alive that nobody serves. */
static void let_go(const struct cuv_crew_spec *spec, struct cuv_joint *j)
{
	if (spec->again)
		return;
	j->listener = cuv_close(j->listener);
	j->worker = cuv_close(j->worker);
}

/* For a single run a zygote would cost more than it saves. Leases are for zygotes. */
static int add_zygotes(const struct cuv_crew_spec *spec, struct cuv_strv *args)
{
	size_t i;
	int r = 0;

	if (!spec->zygote_args)
		return add_pair(args, "--zygotes", "0");
	r = add_pair(args, "--leases", spec->state->leases);
	for (i = 0; r == 0 && i < spec->zygote_args->n; i++)
		r = cuv_strv_add(args, spec->zygote_args->items[i]);
	return r;
}

static int start_launcher(const struct cuv_crew_spec *spec, struct cuv_crew *crew, struct cuv_error *err)
{
	_cleanup_strv_ struct cuv_strv args = CUV_STRV_INIT, env = CUV_STRV_INIT;
	struct cuv_daemon_spec d = CUV_DAEMON_SPEC_INIT;
	struct cuv_joint *joint = &crew->joint[CUV_ROLE_LAUNCHER];
	int r = small_environment(&env);

	if (r == 0)
		r = add_pair(&args, "--store", spec->state->store);
	if (r == 0)
		r = add_pair(&args, "--instance", spec->instance);
	if (r == 0 && spec->boxes)
		r = add_pair(&args, "--boxes", spec->boxes);
	if (r == 0)
		r = add_zygotes(spec, &args);
	if (r == 0)
		r = add_common(spec, &args);
	if (r == 0)
		r = open_joint(spec, spec->state->launcher_sock, joint, err);
	if (r == 0)
		r = join(joint, &d, &args);
	d.name = "launcher";
	d.args = &args;
	d.env = env.items;
	d.log_fd = spec->log_fd;
	if (r == 0)
		r = cuv_daemon_start(&d, &crew->member[CUV_ROLE_LAUNCHER], err);
	let_go(spec, joint);
	return r;
}

static int add_budget(const struct cuv_crew_spec *spec, struct cuv_strv *args)
{
	int r = spec->chores ? cuv_strv_add(args, "--chores") : 0;

	if (r == 0 && spec->env_budget.bytes)
		r = cuv_strv_addf(args, "--env-bytes=%llu", (unsigned long long)spec->env_budget.bytes);
	if (r == 0 && spec->env_budget.count)
		r = cuv_strv_addf(args, "--env-count=%llu", (unsigned long long)spec->env_budget.count);
	return r;
}

/* The builder has boxes of its own, for what it builds: a third holder of the end that
 * the manager and we have. */
static int join_launcher(const struct cuv_crew_spec *spec, const struct cuv_crew *crew, struct cuv_daemon_spec *d,
			 struct cuv_strv *args)
{
	int r = spec->no_sdists ? cuv_strv_add(args, "--no-sdists") : 0;

	if (r == 0 && spec->share)
		r = cuv_strv_add(args, "--share");
	if (r == 0 && spec->lock_kinds)
		r = add_pair(args, "--lock-kinds", spec->lock_kinds);
	if (r == 0 && spec->wheelhouse)
		r = add_pair(args, "--wheelhouse", spec->wheelhouse);
	if (r < 0)
		return r;
	d->fds[2] = crew->joint[CUV_ROLE_LAUNCHER].client;
	return d->fds[2] < 0 ? 0 : add_pair(args, "--launcher-fd", "6");
}

static int start_builder(const struct cuv_crew_spec *spec, struct cuv_crew *crew, struct cuv_error *err)
{
	_cleanup_strv_ struct cuv_strv args = CUV_STRV_INIT;
	struct cuv_daemon_spec d = CUV_DAEMON_SPEC_INIT;
	struct cuv_joint *joint = &crew->joint[CUV_ROLE_BUILDER];
	int r = add_pair(&args, "--state", spec->state->path);
	size_t i;

	if (r == 0)
		r = add_ids(spec, CUV_BUILDER_UID, &args);
	if (r == 0)
		r = add_common(spec, &args);
	if (r == 0)
		r = add_budget(spec, &args);
	if (r == 0)
		r = open_joint(spec, spec->state->builder_sock, joint, err);
	if (r == 0)
		r = join(joint, &d, &args);
	if (r == 0)
		r = join_launcher(spec, crew, &d, &args);
	/* An ordinary user's own cgroup is the boxes' to divide. */
	if (r == 0 && spec->state->root && crew->cgroup.procs[0] < 0)
		(void)cuv_cgroup_make(&spec->builder_limits, &crew->cgroup);
	for (i = 0; i < CUV_DAEMON_CGROUPS_MAX; i++)
		d.cgroups[i] = crew->cgroup.procs[i];
	d.name = "builder";
	d.args = &args;
	d.env = environ;
	d.log_fd = spec->log_fd;
	if (r == 0)
		r = cuv_daemon_start(&d, &crew->member[CUV_ROLE_BUILDER], err);
	let_go(spec, joint);
	return r;
}

/* What failed without a word of its own (no memory, no descriptors). */
static int explain(int r, const char *what, struct cuv_error *err)
{
	if (r < 0 && r != -EINTR && err->code == CUV_E_NONE)
		cuv_error_set(err, CUV_E_UNAVAILABLE, "the %s can't be started (%s)", what, strerror(-r));
	return r;
}

static int wait_ready(const struct cuv_crew_spec *spec, struct cuv_crew *crew, enum cuv_role role,
		      struct cuv_error *err)
{
	return cuv_daemon_wait_ready(&crew->member[role], cuv_deadline_ms(READY_MS), spec->cancel_fd, err);
}

int cuv_crew_start_launcher(const struct cuv_crew_spec *spec, struct cuv_crew *crew, struct cuv_error *err)
{
	int r;

	*err = CUV_ERROR_INIT;
	r = start_launcher(spec, crew, err);
	if (r == 0)
		r = wait_ready(spec, crew, CUV_ROLE_LAUNCHER, err);
	return explain(r, "launcher", err);
}

static int check_store(const struct cuv_state *state, struct cuv_error *err)
{
	struct stat st;

	if (stat(state->store, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	cuv_error_set(err, CUV_E_UNAVAILABLE, "there is no Nix store in %s yet; run: make store STATE=%s", state->path,
		      state->path);
	return -ENOENT;
}

int cuv_crew_start_builder(const struct cuv_crew_spec *spec, struct cuv_crew *crew, struct cuv_error *err)
{
	int r;

	*err = CUV_ERROR_INIT;
	r = check_store(spec->state, err);
	if (r == 0)
		r = explain(start_builder(spec, crew, err), "builder", err);
	if (r == 0)
		r = wait_ready(spec, crew, CUV_ROLE_BUILDER, err);
	return explain(r, "builder", err);
}

int cuv_crew_start_workers(const struct cuv_crew_spec *spec, struct cuv_crew *crew, struct cuv_error *err)
{
	int r;

	*err = CUV_ERROR_INIT;
	r = check_store(spec->state, err);
	/* Both set themselves up at the same time. */
	if (r == 0)
		r = explain(start_launcher(spec, crew, err), "launcher", err);
	if (r == 0)
		r = explain(start_builder(spec, crew, err), "builder", err);
	if (r == 0)
		r = wait_ready(spec, crew, CUV_ROLE_LAUNCHER, err);
	if (r == 0)
		r = wait_ready(spec, crew, CUV_ROLE_BUILDER, err);
	return explain(r, "launcher or builder", err);
}

/* The key goes by the environment, where other users can't read it. */
static int manager_args(const struct cuv_crew_spec *spec, struct cuv_strv *args, struct cuv_strv *env)
{
	const struct {
		const char *option;
		const char *value;
	} pairs[] = {{"--listen", spec->listen},	  {"--clients", spec->clients},
		     {"--memory", spec->request_memory},  {"--drain", spec->drain},
		     {"--store", spec->state->manager},	  {"--pages", spec->state->pages},
		     {"--zygote-sharing", spec->sharing}, {"--lint-servers", spec->lint_servers},
		     {"--runs-queue", spec->runs_queue},  {"--runs-at-once", spec->runs_at_once},
		     {"--origins", spec->origins},	  {"--jobe-env", spec->jobe_env},
		     {"--lock-kinds", spec->lock_kinds}};
	int r = 0;
	size_t i;

	for (i = 0; r == 0 && i < ARRAY_SIZE(pairs); i++)
		if (pairs[i].value)
			r = add_pair(args, pairs[i].option, pairs[i].value);
	if (r == 0 && spec->share)
		r = cuv_strv_add(args, "--share");
	for (i = 0; r == 0 && spec->limits && i < _CUV_PROFILE_MAX; i++) {
		if (!spec->limits[i])
			continue;
		r = cuv_strv_addf(args, "--limits-%s", cuv_profile_name((enum cuv_profile)i));
		if (r == 0)
			r = cuv_strv_add(args, spec->limits[i]);
	}
	if (r == 0 && spec->prewarm)
		r = cuv_strv_add(args, "--prewarm");
	if (r == 0 && spec->api_key)
		r = cuv_strv_addf(env, "API_KEY=%s", spec->api_key);
	return r;
}

static int start_manager(const struct cuv_crew_spec *spec, struct cuv_crew *crew, struct cuv_error *err)
{
	_cleanup_strv_ struct cuv_strv args = CUV_STRV_INIT, env = CUV_STRV_INIT;
	struct cuv_daemon_spec d = CUV_DAEMON_SPEC_INIT;
	int r = small_environment(&env), i;

	if (r == 0)
		r = manager_args(spec, &args, &env);
	if (r == 0 && spec->front_fd >= 0)
		r = add_pair(&args, "--listen-fd", "6");
	if (r == 0)
		r = add_ids(spec, CUV_MANAGER_UID, &args);
	if (r == 0)
		r = add_common(spec, &args);
	d.name = "manager";
	d.args = &args;
	d.env = env.items;
	d.log_fd = spec->log_fd;
	for (i = 0; i < CUV_JOINTS; i++)
		d.fds[i] = crew->joint[i].client;
	d.fds[CUV_JOINTS] = spec->front_fd;
	if (r == 0)
		r = cuv_daemon_start(&d, &crew->member[CUV_ROLE_MANAGER], err);
	for (i = 0; !spec->again && i < CUV_JOINTS; i++)
		crew->joint[i].client = cuv_close(crew->joint[i].client);
	return r;
}

int cuv_crew_start_manager(const struct cuv_crew_spec *spec, struct cuv_crew *crew, struct cuv_error *err)
{
	int r;

	*err = CUV_ERROR_INIT;
	r = start_manager(spec, crew, err);
	if (r == 0)
		r = wait_ready(spec, crew, CUV_ROLE_MANAGER, err);
	return explain(r, "manager", err);
}

int cuv_crew_start_again(const struct cuv_crew_spec *spec, struct cuv_crew *crew, enum cuv_role role,
			 struct cuv_error *err)
{
	*err = CUV_ERROR_INIT;
	cuv_assert(spec->again && crew->member[role].pid <= 0);
	switch (role) {
	case CUV_ROLE_LAUNCHER:
		return explain(start_launcher(spec, crew, err), "launcher", err);
	case CUV_ROLE_BUILDER:
		return explain(start_builder(spec, crew, err), "builder", err);
	case CUV_ROLE_MANAGER:
	case _CUV_ROLE_MAX:
	default:
		return explain(start_manager(spec, crew, err), "manager", err);
	}
}

void cuv_crew_stop(struct cuv_crew *crew, uint64_t manager_ms, int hurry_fd)
{
	uint64_t deadline;
	int i;

	/* The manager's control stays open while it drains: its hang-up means
	 * 'the supervisor is gone' and ends it at once. */
	if (crew->member[CUV_ROLE_MANAGER].pid > 0) {
		(void)kill(crew->member[CUV_ROLE_MANAGER].pid, SIGTERM);
		(void)cuv_daemon_reap(&crew->member[CUV_ROLE_MANAGER], cuv_deadline_ms(manager_ms), hurry_fd);
	}
	for (i = 0; i < CUV_JOINTS; i++) {
		struct cuv_joint *j = &crew->joint[i];

		j->listener = cuv_close(j->listener);
		j->worker = cuv_close(j->worker);
		j->client = cuv_close(j->client);
	}
	cuv_daemon_end(&crew->member[CUV_ROLE_LAUNCHER]);
	cuv_daemon_end(&crew->member[CUV_ROLE_BUILDER]);
	deadline = cuv_deadline_ms(WORKERS_END_MS);
	(void)cuv_daemon_reap(&crew->member[CUV_ROLE_LAUNCHER], deadline, hurry_fd);
	(void)cuv_daemon_reap(&crew->member[CUV_ROLE_BUILDER], deadline, hurry_fd);
	cuv_cgroup_done(&crew->cgroup);
}

struct cuv_peers cuv_crew_peers(const struct cuv_crew *crew)
{
	struct cuv_peers p = CUV_PEERS_INIT;

	p.launcher_control = crew->joint[CUV_ROLE_LAUNCHER].client;
	p.builder_control = crew->joint[CUV_ROLE_BUILDER].client;
	return p;
}

void cuv_crew_instance(const char *what, char ret[CUV_INSTANCE_NAME_SIZE])
{
	char id[CUV_ID_HEX_SIZE];

	cuv_random_id(id);
	snprintf(ret, CUV_INSTANCE_NAME_SIZE, "%s-%d-%.6s", what, getpid(), id);
}
