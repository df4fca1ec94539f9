/* SPDX-License-Identifier: MIT */
#include "manager/health.h"

#include "lib/base/clock.h"
#include "manager/answer.h"

#include <stdlib.h>
#include <string.h>

#define ASK_TIMEOUT_MS 2000

void cuv_health_init(struct cuv_health *h, const struct cuv_peers *peers, bool landlock)
{
	*h = (struct cuv_health){.peers = peers, .landlock = landlock};
	pthread_mutex_init(&h->asking, NULL);
	pthread_mutex_init(&h->lock, NULL);
	cuv_error_set(&h->state.layers_error, CUV_E_UNAVAILABLE, "not asked yet");
	cuv_error_set(&h->state.tools_error, CUV_E_UNAVAILABLE, "not asked yet");
}

void cuv_health_done(struct cuv_health *h)
{
	cuv_health_unlook(TAKE_PTR(h->view));
	pthread_mutex_destroy(&h->asking);
	pthread_mutex_destroy(&h->lock);
}

/* The launcher only knows what the kernel could do. */
static void add_own_layer(const struct cuv_health *h, struct cuv_health_state *s)
{
	bool resolver = s->tools_error.code != CUV_E_NONE || s->tools.resolver_sealed;
	enum cuv_layer_state *state = &s->layers.layer[CUV_LAYER_LANDLOCK].state;
	char *why = s->layers.layer[CUV_LAYER_LANDLOCK].why;

	if (s->layers_error.code != CUV_E_NONE || (h->landlock && resolver))
		return;
	*state = CUV_LAYER_DEGRADED;
	cuv_error_copy_text(why, sizeof(s->layers.layer[0].why),
			    h->landlock ? "the resolver is not under it" : "the manager is not under it",
			    strlen(h->landlock ? "the resolver is not under it" : "the manager is not under it"));
}

/* The caller holds h->asking. What a part told before it went away stays: runs
 * need it until somebody asks again. */
static void ask(struct cuv_health *h, uint32_t timeout_ms)
{
	struct cuv_health_state s;
	struct cuv_layers layers;
	struct cuv_tools tools;

	pthread_mutex_lock(&h->lock);
	s = h->state;
	pthread_mutex_unlock(&h->lock);
	s.layers_error = s.tools_error = CUV_ERROR_INIT;
	if (cuv_peers_layers(h->peers, timeout_ms, &layers, &s.layers_error) == 0)
		s.layers = layers;
	else if (s.layers_error.code == CUV_E_NONE)
		s.layers_error.code = CUV_E_UNAVAILABLE;
	if (cuv_peers_tools(h->peers, timeout_ms, &tools, &s.tools_error) == 0)
		s.tools = tools;
	else if (s.tools_error.code == CUV_E_NONE)
		s.tools_error.code = CUV_E_UNAVAILABLE;
	add_own_layer(h, &s);
	s.asked_ns = cuv_now_ns();
	pthread_mutex_lock(&h->lock);
	h->state = s;
	cuv_health_unlook(TAKE_PTR(h->view));
	pthread_mutex_unlock(&h->lock);
}

void cuv_health_ask(struct cuv_health *h, uint32_t timeout_ms)
{
	pthread_mutex_lock(&h->asking);
	ask(h, timeout_ms);
	pthread_mutex_unlock(&h->asking);
}

void cuv_health_get(struct cuv_health *h, uint32_t max_age_ms, struct cuv_health_state *ret)
{
	pthread_mutex_lock(&h->lock);
	*ret = h->state;
	pthread_mutex_unlock(&h->lock);
	if (max_age_ms == UINT32_MAX || cuv_now_ns() - ret->asked_ns <= max_age_ms * CUV_NS_PER_MS)
		return;
	/* Whoever comes while another thread asks takes what there is. */
	if (pthread_mutex_trylock(&h->asking) != 0)
		return;
	ask(h, ASK_TIMEOUT_MS);
	pthread_mutex_unlock(&h->asking);
	pthread_mutex_lock(&h->lock);
	*ret = h->state;
	pthread_mutex_unlock(&h->lock);
}

struct cuv_health_view *cuv_health_look(struct cuv_health *h)
{
	struct cuv_health_view *v;

	pthread_mutex_lock(&h->lock);
	if (!h->view && (h->view = malloc(sizeof(*h->view)))) {
		h->view->state = h->state;
		atomic_init(&h->view->refs, 1);
	}
	v = h->view;
	if (v)
		atomic_fetch_add(&v->refs, 1);
	pthread_mutex_unlock(&h->lock);
	return v;
}

void cuv_health_unlook(struct cuv_health_view *v)
{
	if (v && atomic_fetch_sub(&v->refs, 1) == 1)
		free(v);
}

static bool has_missing_layer(const struct cuv_health_state *s)
{
	int i;

	for (i = 0; i < _CUV_LAYER_MAX; i++)
		if (s->layers.layer[i].state == CUV_LAYER_MISSING)
			return true;
	return false;
}

bool cuv_health_is_serving(const struct cuv_health_state *s)
{
	return s->layers_error.code == CUV_E_NONE && s->tools_error.code == CUV_E_NONE && !has_missing_layer(s);
}

static json_t *component(const char *status, const char *why)
{
	json_t *c = json_pack("{s:s}", "status", status);

	if (why && *why)
		json_object_set_new(c, "why", json_string(why));
	return c;
}

static json_t *sandbox(const struct cuv_health_state *s)
{
	json_t *c, *layers;
	bool degraded = false;
	int i;

	if (s->layers_error.code != CUV_E_NONE)
		return component("down", s->layers_error.message);
	layers = cuv_answer_isolation(&s->layers);
	for (i = 0; i < _CUV_LAYER_MAX; i++)
		degraded = degraded || s->layers.layer[i].state != CUV_LAYER_OK;
	c = component(has_missing_layer(s) ? "down"
		      : degraded	   ? "degraded"
					   : "ok",
		      degraded ? "not all layers of isolation are on, see layers" : NULL);
	json_object_set_new(c, "layers", layers);
	json_object_set_new(c, "boxes_busy", json_integer(s->layers.boxes_busy));
	json_object_set_new(c, "boxes_max", json_integer(s->layers.boxes_max));
	return c;
}

static json_t *tool(const struct cuv_health_state *s, const char *version, const char *degraded)
{
	json_t *c;

	if (s->tools_error.code != CUV_E_NONE)
		return component("down", s->tools_error.message);
	c = component(degraded ? "degraded" : "ok", degraded);
	if (version)
		json_object_set_new(c, "version", json_string(version));
	return c;
}

/* Without one every run is served, only slower. */
static json_t *zygote(const struct cuv_health_state *s, enum cuv_sharing sharing)
{
	const struct cuv_tools_python *p = s->tools.pythons;
	bool lacking = s->tools_error.code == CUV_E_NONE && !p->zygote[0] && sharing != CUV_SHARING_NONE;
	json_t *c = tool(s, NULL, lacking ? "the store has no zygote, all runs are cold; run: make store" : NULL);

	json_object_set_new(c, "sharing", json_string(cuv_sharing_name(sharing)));
	if (s->tools_error.code == CUV_E_NONE && p->zygote[0])
		json_object_set_new(c, "store_path", json_sprintf("/nix/store/%s", p->zygote));
	return c;
}

/* Those whose images the store has, the default first. */
static json_t *pythons(const struct cuv_tools *tools)
{
	json_t *list = json_array();

	for (size_t i = 0; i < tools->n_pythons; i++) {
		const struct cuv_tools_python *p = &tools->pythons[i];

		if (!p->made)
			continue;
		json_array_append_new(list,
				      json_pack("{s:s, s:o, s:o}", "python", p->python, "image",
						json_sprintf("/nix/store/%s", p->image), "zygote",
						p->zygote[0] ? json_sprintf("/nix/store/%s", p->zygote) : json_null()));
	}
	return list;
}

json_t *cuv_health_components(const struct cuv_health_state *s, enum cuv_sharing sharing, uint32_t running,
			      uint32_t running_max)
{
	json_t *store = tool(s, NULL, NULL), *queue = component(running < running_max ? "ok" : "degraded", NULL);

	if (s->tools_error.code == CUV_E_NONE) {
		json_object_set_new(store, "image", json_sprintf("/nix/store/%s", s->tools.pythons[0].image));
		json_object_set_new(store, "python", json_string(s->tools.pythons[0].python));
		json_object_set_new(store, "pythons", pythons(&s->tools));
	}
	json_object_set_new(queue, "running", json_integer(running));
	json_object_set_new(queue, "running_max", json_integer(running_max));
	return json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "sandbox", sandbox(s), "zygote", zygote(s, sharing), "nix",
		tool(s, NULL, NULL), "resolver",
		tool(s, s->tools.uv_version, s->tools.resolver_sealed ? NULL : "it does not run under Landlock"),
		"ruff", tool(s, s->tools.ruff_version, NULL), "store", store, "queue", queue);
}
