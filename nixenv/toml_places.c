/* SPDX-License-Identifier: MIT */
/* The table of values: open addressing, at most half full. */
#include "nixenv/toml_parser.h"

#include <stdlib.h>

#define FIRST_ROOM 64

static size_t slot_of(const struct cuv_toml *t, const json_t *value)
{
	uint64_t mixed = (uint64_t)(uintptr_t)value * 0x9e3779b97f4a7c15u;

	return (size_t)(mixed >> 32) & (t->room - 1);
}

struct cuv_toml_place *cuv_toml_place(const struct cuv_toml *t, const json_t *value)
{
	if (!value || t->room == 0)
		return NULL;
	for (size_t i = slot_of(t, value); t->places[i].value; i = (i + 1) & (t->room - 1))
		if (t->places[i].value == value)
			return &t->places[i];
	return NULL;
}

static void insert(struct cuv_toml *t, const struct cuv_toml_place *place)
{
	size_t i = slot_of(t, place->value);

	while (t->places[i].value)
		i = (i + 1) & (t->room - 1);
	t->places[i] = *place;
}

static bool grow(struct cuv_toml *t)
{
	struct cuv_toml more = {.room = t->room ? 2 * t->room : FIRST_ROOM};

	if (2 * (t->n_places + 1) <= t->room)
		return true;
	more.places = calloc(more.room, sizeof(*more.places));
	if (!more.places)
		return false;
	for (size_t i = 0; i < t->room; i++)
		if (t->places[i].value)
			insert(&more, &t->places[i]);
	free(t->places);
	t->places = more.places;
	t->room = more.room;
	return true;
}

json_t *cuv_toml_note(struct cuv_toml_parser *p, json_t *value, const char *at, enum cuv_toml_kind kind)
{
	struct cuv_toml_place place = {.value = value, .offset = (uint32_t)(at - p->text), .kind = kind};
	struct cuv_toml *t = p->doc;

	/* There is one true and one false for all documents. */
	if (json_is_boolean(value))
		return value;
	if (value && t->n_places >= CUV_TOML_VALUES_MAX)
		cuv_toml_fail(p, "more values than a document may have");
	else if (value && grow(t)) {
		insert(t, &place);
		t->n_places++;
		return value;
	} else {
		p->no_memory = true;
	}
	json_decref(value);
	return NULL;
}

size_t cuv_toml_offset(const struct cuv_toml *t, const json_t *value)
{
	const struct cuv_toml_place *place = cuv_toml_place(t, value);

	return place ? place->offset : 0;
}
