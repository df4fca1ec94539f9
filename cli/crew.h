/* SPDX-License-Identifier: MIT */
/*
 * The processes behind a service or a single run: launcher and builder, and the
 * manager where HTTP is served. `serve`, `run` and `doctor` start them here, all
 * in the same way.
 */
#ifndef CUV_CREW_H
#define CUV_CREW_H

#include "cli/cgroup.h"
#include "cli/daemon.h"
#include "cli/state.h"
#include "manager/job.h"

enum cuv_role { CUV_ROLE_LAUNCHER, CUV_ROLE_BUILDER, CUV_ROLE_MANAGER, _CUV_ROLE_MAX };

/* For `run` and `doctor`, and what `serve` has by default. */
#define CUV_BUILDER_LIMITS_DEFAULT ((struct cuv_cgroup_limits){.memory_bytes = 4 * CUV_GIB, .processes = 512})

/* What environments may take, and how many there may be; 0: no bound. */
struct cuv_env_budget {
	uint64_t bytes;
	uint64_t count;
};

/* How to start them; all borrowed for the crew's life. */
struct cuv_crew_spec {
	const struct cuv_state *state;
	const char *instance;		    /* name of the launcher's cgroups */
	const char *allow_degraded;	    /* "layer,layer"; NULL or "": none */
	const char *boxes;		    /* number for the launcher; NULL: its own choice */
	const struct cuv_strv *zygote_args; /* the launcher's options about zygotes; NULL: it makes none */
	bool sockets;			    /* listen at STATE/run/{launcher,builder}.sock */
	bool again;			    /* a part that dies is started again: see struct cuv_joint */
	int log_fd;			    /* their log lines; -1: kept, shown when one fails */
	struct cuv_cgroup_limits builder_limits;
	struct cuv_env_budget env_budget;
	bool share;		/* builder and manager are a binary cache together */
	bool no_sdists;		/* the builder builds no source distributions, whoever asks */
	const char *lock_kinds; /* kinds of lock entries that builder and manager take; NULL: none */
	const char *wheelhouse; /* folder of the files of the kind `path`, for the builder; NULL: none */
	bool chores;		/* the builder does them for whoever has its control: only where that is us */
	/* Of the manager; NULL: its own choice. */
	const char *listen; /* ADDR:PORT */
	int front_fd;	    /* a Unix socket that listens; -1: none */
	const char *clients;
	const char *request_memory;
	const char *drain;
	const char *sharing; /* of zygotes */
	const char *lint_servers;
	const char *runs_queue;
	const char *runs_at_once;
	const char *api_key;
	const char *origins;
	const char *jobe_env;
	const char *const *limits; /* of the dialects, by enum cuv_profile; NULL: as they are */
	bool prewarm;
	int cancel_fd; /* readable: give up starting; -1: none */
};

/* What joins a worker (launcher or builder) with its clients. Where parts are
 * started again we keep all of it, and a new process gets the same: the socket
 * pair does not break when one side dies, so nobody else has to be told. What is
 * asked for meanwhile waits in the sockets, up to their bound. */
struct cuv_joint {
	int listener; /* -1 unless kept */
	int worker;   /* the worker's end of the control socket; -1 unless kept */
	int client;   /* the other end: the manager's, or our own */
};
#define CUV_JOINT_INIT ((struct cuv_joint){-1, -1, -1})
/* Makes the socket pair where there is none. 0 or -errno. */
int cuv_joint_pair(struct cuv_joint *j);
#define CUV_JOINTS 2 /* of CUV_ROLE_LAUNCHER and CUV_ROLE_BUILDER */

struct cuv_crew {
	struct cuv_daemon member[_CUV_ROLE_MAX];
	struct cuv_cgroup cgroup; /* the builder's */
	struct cuv_joint joint[CUV_JOINTS];
};
#define CUV_CREW_INIT                                                                                                  \
	((struct cuv_crew){.member = {CUV_DAEMON_INIT, CUV_DAEMON_INIT, CUV_DAEMON_INIT},                              \
			   .cgroup = CUV_CGROUP_INIT,                                                                  \
			   .joint = {CUV_JOINT_INIT, CUV_JOINT_INIT}})

/* The launcher alone, ready (for asking about layers). */
int cuv_crew_start_launcher(const struct cuv_crew_spec *spec, struct cuv_crew *crew, struct cuv_error *err);
/* The builder alone, ready (for what is about the store only). */
int cuv_crew_start_builder(const struct cuv_crew_spec *spec, struct cuv_crew *crew, struct cuv_error *err);
/* Launcher and builder, both ready. 0, or -errno with err set; the crew then
 * still has to be stopped. -EINTR: cancelled. */
int cuv_crew_start_workers(const struct cuv_crew_spec *spec, struct cuv_crew *crew, struct cuv_error *err);
/* The manager, given the workers' controls; ready. */
int cuv_crew_start_manager(const struct cuv_crew_spec *spec, struct cuv_crew *crew, struct cuv_error *err);
/* One of a spec with `again` whose process has been reaped. It is not ready yet
 * when this returns (cuv_daemon_take tells). 0, or -errno with err set. */
int cuv_crew_start_again(const struct cuv_crew_spec *spec, struct cuv_crew *crew, enum cuv_role role,
			 struct cuv_error *err);

/* Ends whoever is there: manager first, which may take manager_ms to finish its
 * requests; then the others. Nothing of them remains. A readable hurry_fd (-1:
 * none) cuts all waiting short. */
void cuv_crew_stop(struct cuv_crew *crew, uint64_t manager_ms, int hurry_fd);

/* For jobs over our own controls; borrows from the crew. */
struct cuv_peers cuv_crew_peers(const struct cuv_crew *crew);

/* "<what>-<pid>-<6 hex digits>": an instance name that nobody else has. */
#define CUV_INSTANCE_NAME_SIZE 40
void cuv_crew_instance(const char *what, char ret[CUV_INSTANCE_NAME_SIZE]);

#endif
