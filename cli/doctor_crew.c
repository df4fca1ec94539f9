/* SPDX-License-Identifier: MIT */
#include "cli/attach.h"
#include "cli/doctor.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/landlock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASK_MS 15000
#define ONLINE_MS 90000
/* What is asked for to see whether the index answers: small, pure Python, stable. */
#define ONLINE_PACKAGE "six"

static const char *const layer_text[_CUV_LAYER_MAX] = {
#define X(name, text, degradable, doc) [CUV_LAYER_##name] = (doc),
	CUV_LAYER_TABLE(X)
#undef X
};

/* Every layer that may be missing, so that a launcher starts and tells. */
static void all_degradable(char *ret, size_t size)
{
	size_t at = 0;
	int i;

	ret[0] = '\0';
	for (i = 0; i < _CUV_LAYER_MAX; i++)
		if (cuv_layer_degradable((enum cuv_layer)i))
			at += (size_t)snprintf(ret + at, size - at, "%s%s", at ? "," : "",
					       cuv_layer_name((enum cuv_layer)i));
	cuv_assert(at < size);
}

static void add_layers(const struct cuv_doctor_spec *spec, const struct cuv_layers *l, struct cuv_findings *f)
{
	int i;

	for (i = 0; i < _CUV_LAYER_MAX; i++) {
		enum cuv_layer layer = (enum cuv_layer)i;
		enum cuv_layer_state state = l->layer[i].state;
		const char *name = cuv_layer_name(layer), *why = l->layer[i].why;
		struct cuv_finding *x;

		/* Landlock is none of the launcher's; the kernel tells. */
		if (layer == CUV_LAYER_LANDLOCK && cuv_landlock_abi() < 1) {
			state = CUV_LAYER_MISSING;
			why = "the kernel has no Landlock";
		}
		x = cuv_findings_add(f, "layers", name, CUV_FOUND_OK);
		cuv_finding_text(x, "%s", layer_text[i]);
		if (state == CUV_LAYER_OK)
			continue;
		x->state = cuv_layer_degradable(layer) ? CUV_FOUND_DEGRADED : CUV_FOUND_MISSING;
		x->allowed = cuv_list_has(spec->allowed, name);
		cuv_finding_fix(x, "%s%s", why,
				x->state == CUV_FOUND_DEGRADED && !x->allowed
					? "; or start without it by --allow-degraded"
					: "");
	}
}

static void add_failure(struct cuv_findings *f, const char *group, const char *name, const struct cuv_error *err)
{
	struct cuv_finding *x = cuv_findings_add(f, group, name, CUV_FOUND_MISSING);

	cuv_finding_text(x, "did not start or answer");
	cuv_finding_fix(x, "%s", err->message);
}

static void add_tool(struct cuv_findings *f, const char *name, const char *store_name, const char *version)
{
	struct cuv_finding *x = cuv_findings_add(f, "store", name, store_name[0] ? CUV_FOUND_OK : CUV_FOUND_MISSING);

	if (store_name[0]) {
		cuv_finding_text(x, "%s (/nix/store/%s)", version, store_name);
	} else {
		cuv_finding_text(x, "not in the store");
		cuv_finding_fix(x, "make store");
	}
}

/* A service without one serves all the same. */
static void add_zygote(struct cuv_findings *f, const char *name, const char *store_name)
{
	struct cuv_finding *x = cuv_findings_add(f, "store", name, store_name[0] ? CUV_FOUND_OK : CUV_FOUND_INFO);

	if (store_name[0]) {
		cuv_finding_text(x, "/nix/store/%s", store_name);
	} else {
		cuv_finding_text(x, "not in the store: every run starts an interpreter of its own");
		cuv_finding_fix(x, "make store");
	}
}

/* "image" is the first Python's, "image-3.13" another's. */
static const char *name_of(const struct cuv_tools *t, size_t i, const char *what)
{
	static char names[2 * CUV_PYTHONS_MAX][32]; /* findings borrow them to the end */
	static size_t n;
	const char *version = t->pythons[i].python;
	size_t major = strcspn(version, ".") + 1;

	if (i == 0)
		return what;
	cuv_assert(n < ARRAY_SIZE(names));
	(void)snprintf(names[n], sizeof(names[n]), "%s-%.*s", what, (int)(major + strcspn(version + major, ".")),
		       version);
	return names[n++];
}

static void add_tools(const struct cuv_peers *peers, struct cuv_findings *f)
{
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_tools tools;

	if (cuv_peers_tools(peers, ASK_MS, &tools, &err) < 0) {
		add_failure(f, "store", "builder", &err);
		return;
	}
	for (size_t i = 0; i < tools.n_pythons; i++)
		if (i == 0 || tools.pythons[i].made)
			add_tool(f, name_of(&tools, i, "image"), tools.pythons[i].image, tools.pythons[i].python);
	add_tool(f, "uv", tools.uv, tools.uv_version);
	add_tool(f, "ruff", tools.ruff, tools.ruff_version);
	for (size_t i = 0; i < tools.n_pythons; i++)
		if (i == 0 || tools.pythons[i].made)
			add_zygote(f, name_of(&tools, i, "zygote"), tools.pythons[i].zygote);
	if (!tools.resolver_sealed) {
		struct cuv_finding *x = cuv_findings_add(f, "store", "resolver", CUV_FOUND_INFO);

		cuv_finding_text(x, "runs without Landlock");
	}
}

/* One environment, dated now, so that no earlier answer can stand in for it. */
static int ask_environment(const struct cuv_peers *peers, struct cuv_error *err)
{
	static const char text[] = ONLINE_PACKAGE "\n";
	struct cuv_env_ask ask = {.source = CUV_ENV_REQUIREMENTS,
				  .exclude_s = cuv_wall_s(),
				  .resolve_ms = ONLINE_MS / 2,
				  .build_ms = ONLINE_MS};
	_cleanup_close_ int session = cuv_peers_builder(peers, err), file = -1;
	_cleanup_writer_ struct cuv_writer w;
	uint64_t deadline = cuv_deadline_ms(ONLINE_MS);
	int r;

	(void)snprintf(ask.python, sizeof(ask.python), "%s", cuv_pythons->version);
	cuv_writer_init(&w, CUV_MSG_ENV_ASK);
	if (session < 0)
		return session;
	file = cuv_memfd("requirements", text, sizeof(text) - 1);
	if (file < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "no memory file: %s", strerror(-file));
	cuv_env_ask_put(&w, &ask);
	r = cuv_writer_send(&w, session, &file, 1);
	for (;;) {
		_cleanup_frame_ struct cuv_frame frame = CUV_FRAME_INIT;

		if (r == 0)
			r = cuv_frame_recv_until(session, deadline, &frame);
		if (r != 0)
			return cuv_error_set(err, CUV_E_UNAVAILABLE, "the builder gave no answer (%s)",
					     r > 0 ? "hung up" : strerror(-r));
		if (frame.type == CUV_MSG_ENV_READY)
			return 0;
		if (frame.type == CUV_MSG_FAILURE)
			return cuv_failure_get(&frame.body, err) < 0 ? -EBADMSG : -ECANCELED;
	}
}

static void add_index(const struct cuv_peers *peers, struct cuv_findings *f)
{
	struct cuv_finding *x = cuv_findings_add(f, "store", "index", CUV_FOUND_OK);
	struct cuv_error err = CUV_ERROR_INIT;

	cuv_finding_text(x, "answers; an environment of `" ONLINE_PACKAGE "` was made");
	if (ask_environment(peers, &err) == 0)
		return;
	x->state = CUV_FOUND_MISSING;
	cuv_finding_text(x, "no environment of `" ONLINE_PACKAGE "` could be made");
	cuv_finding_fix(x, "%s: %s", cuv_error_name(err.code), err.message);
}

/* The state folder, as far as a look tells. */
struct store {
	struct cuv_state state;
	struct cuv_error err; /* why the folder can't be looked at */
	bool folder;
	bool there; /* with a store in it, that a builder can work on */
};

static void look_at_store(const char *text, struct store *ret)
{
	struct stat st;

	*ret = (struct store){.state = CUV_STATE_INIT};
	ret->folder = cuv_state_look(text, &ret->state, &ret->err) == 0;
	ret->there = ret->folder && stat(ret->state.store, &st) == 0 && S_ISDIR(st.st_mode);
}

static void add_store(const struct store *s, struct cuv_findings *f)
{
	struct cuv_finding *x = cuv_findings_add(f, "store", "folder", s->there ? CUV_FOUND_OK : CUV_FOUND_MISSING);

	if (s->there) {
		cuv_finding_text(x, "%s", s->state.store);
		return;
	}
	cuv_finding_text(x, "%s", s->folder ? "there is no Nix store in the state folder yet" : s->err.message);
	cuv_finding_fix(x, "make store, or choose another place with --state");
}

/* What has to be asked for; peers lead to the service's processes or our own. */
static void ask_all(const struct cuv_doctor_spec *spec, const struct cuv_peers *peers, const struct store *s,
		    struct cuv_findings *f)
{
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_layers layers;

	if (cuv_peers_layers(peers, ASK_MS, &layers, &err) < 0)
		add_failure(f, "layers", "launcher", &err);
	else
		add_layers(spec, &layers, f);
	if (spec->layers_only)
		return;
	add_store(s, f);
	if (!s->there)
		return;
	add_tools(peers, f);
	if (spec->online)
		add_index(peers, f);
}

/* With processes of our own, gone at the end. */
static void ask_own(const struct cuv_doctor_spec *spec, struct store *s, struct cuv_findings *f)
{
	char degradable[256], instance[CUV_INSTANCE_NAME_SIZE];
	struct cuv_crew crew = CUV_CREW_INIT;
	struct cuv_crew_spec start = {.state = &s->state,
				      .instance = instance,
				      .allow_degraded = degradable,
				      .log_fd = -1,
				      .cancel_fd = -1,
				      .builder_limits = CUV_BUILDER_LIMITS_DEFAULT};
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_peers peers;
	int r;

	all_degradable(degradable, sizeof(degradable));
	cuv_crew_instance("doctor", instance);
	/* Layers can be tried without a store; any folder stands for it. */
	if (!s->there)
		snprintf(s->state.store, sizeof(s->state.store), "/usr");
	if (s->there && !spec->layers_only)
		r = cuv_crew_start_workers(&start, &crew, &err);
	else
		r = cuv_crew_start_launcher(&start, &crew, &err);
	if (r < 0)
		add_failure(f, "layers", "start", &err);
	peers = cuv_crew_peers(&crew);
	if (r == 0)
		ask_all(spec, &peers, s, f);
	cuv_crew_stop(&crew, 0, -1);
}

void cuv_doctor_crew(const struct cuv_doctor_spec *spec, struct cuv_findings *f)
{
	struct cuv_service_note note = {0};
	struct cuv_peers peers = CUV_PEERS_INIT;
	struct store s;

	look_at_store(spec->state, &s);
	if (s.folder && s.state.own && cuv_state_service(&s.state, &note) == 1 && note.url[0] &&
	    access(s.state.builder_sock, W_OK) == 0) {
		if (!spec->layers_only)
			cuv_finding_text(cuv_findings_add(f, "service", "running", CUV_FOUND_OK),
					 "%s (process %d); what follows is its own word", note.url, note.pid);
		peers.launcher_path = s.state.launcher_sock;
		peers.builder_path = s.state.builder_sock;
		ask_all(spec, &peers, &s, f);
	} else {
		ask_own(spec, &s, f);
	}
	cuv_state_done(&s.state);
}
