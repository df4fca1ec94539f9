/* SPDX-License-Identifier: MIT */
/*
 * The requirements file that a user sends: a strict grammar, and its canonical
 * form, which is what gets hashed and what the resolver reads instead of the
 * user's file. docs/requirements.md says what is accepted, ignored and refused.
 *
 * The canonical form has one PEP 508 requirement a line, with --hash options and
 * nothing else: no other option, no path, no variable, no comment, no
 * continuation. A direct requirement has ` @ ` and its address in place of
 * specifiers (struct cuv_direct says in which form), and that is the only address. Files that mean the same have the
 * same canonical form: names, extras, versions and markers are normalised, specifiers, hashes and lines are sorted,
 * repeated lines folded. It is itself accepted, and is its own canonical form. The empty environment has the empty one.
 */
#ifndef CUV_REQUIREMENTS_H
#define CUV_REQUIREMENTS_H

#include "lib/base/error.h"
#include "nixenv/pep508.h"

/* Largest file, as sent and in canonical form. */
#define CUV_REQUIREMENTS_BYTES_MAX (64 * 1024)
/* Most lines, where a continued line counts once. */
#define CUV_REQUIREMENTS_LINES_MAX 500
/* Most requirements, before repeated ones are folded. */
#define CUV_REQUIREMENTS_MAX 200
/* Most ignored options and lines. */
#define CUV_REQUIREMENTS_IGNORED_MAX 64
/* Limits inside a requirement: CUV_NAME_LEN_MAX, CUV_EXTRAS_MAX, CUV_HASHES_MAX
 * (pep508.h), CUV_SPECIFIERS_MAX (pep440_specifier.h), CUV_VERSION_LEN_MAX,
 * CUV_VERSION_NUMBER_MAX (pep440.h), CUV_MARKER_DEPTH_MAX, CUV_MARKER_TERMS_MAX,
 * CUV_MARKER_STRING_MAX (marker.h). */

/* Something in the file that has no effect, worth a word to the user. */
struct cuv_requirements_ignored {
	uint32_t line;	    /* from 1 */
	const char *name;   /* static: the option, or "comment" for a line lost in one */
	const char *reason; /* static: why it has no effect */
};

struct cuv_requirements {
	/* Owned, sorted by their canonical text, each text once. */
	struct cuv_requirement *items;
	size_t n;
	/* In the order of the file. */
	struct cuv_requirements_ignored ignored[CUV_REQUIREMENTS_IGNORED_MAX];
	size_t n_ignored;
};

/* Parses a whole file; data is borrowed for the call, *ret is the caller's.
 * 0; -EINVAL with err set: REQUIREMENTS_ENCODING, REQUIREMENT_INVALID,
 * REQUIREMENT_UNSUPPORTED or TOO_LARGE, with line, column (characters) and
 * excerpt where it is about a place; -ENOMEM with err set to INTERNAL. */
int cuv_requirements_parse(const void *data, size_t len, struct cuv_requirements **ret, struct cuv_error *err);

/* Takes NULL too; returns NULL. */
struct cuv_requirements *cuv_requirements_free(struct cuv_requirements *r);
static inline void cuv_requirements_freep(struct cuv_requirements **r)
{
	*r = cuv_requirements_free(*r);
}

/* Appends the canonical form, at most CUV_REQUIREMENTS_BYTES_MAX bytes; the
 * buffer's error. */
int cuv_requirements_canonical(const struct cuv_requirements *r, struct cuv_buf *out);

/* An error about a line of the canonical form (the resolver's and the builder's,
 * who see nothing else) becomes one about the file that was sent: its line, and
 * that line's text as excerpt. data is that file, accepted before; err is left
 * alone when it has no line. */
void cuv_requirements_relocate(const void *data, size_t len, struct cuv_error *err);

/* The first requirement for this package (any spelling of the name), NULL when
 * there is none: to lead from a package of the resolver back to a line. Borrowed. */
const struct cuv_requirement *cuv_requirements_find(const struct cuv_requirements *r, const char *name);

#endif
