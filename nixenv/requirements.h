/* SPDX-License-Identifier: MIT */
/*
 * The requirements file that a user sends: a strict grammar, and its canonical
 * form, which is what gets hashed and what the resolver reads instead of the
 * user's file. docs/requirements.md says what is accepted, ignored and refused.
 *
 * The canonical form has one PEP 508 requirement a line, with --hash options and
 * nothing else: no other option, no path, no variable, no comment, no
 * continuation. A direct requirement has ` @ ` and its address in place of
 * specifiers (struct cuv_direct says in which form), and that is the only address.
 * Behind the requirements stand the constraints, each behind `--constraint` and a
 * blank, and then the indexes: at most one `--index-url`, and `--extra-index-url` in
 * the order of the files. Their addresses are not for the resolver either: the builder
 * finds each in the operator's list, or refuses it. Files that mean the
 * same have the same canonical form: names, extras, versions and markers are
 * normalised, specifiers, hashes and lines are sorted, repeated lines folded. The
 * empty environment has the empty one; without requirements there are no
 * constraints in it either, for nothing would be constrained.
 */
#ifndef CUV_REQUIREMENTS_H
#define CUV_REQUIREMENTS_H

#include "lib/base/error.h"
#include "nixenv/pep508.h"

/* Largest file, as sent and in canonical form; all files of one request. */
#define CUV_REQUIREMENTS_BYTES_MAX (256 * 1024)
#define CUV_REQUIREMENTS_TOTAL_MAX (512 * 1024)
/* Most files, and how deep they may include one another. */
#define CUV_REQUIREMENTS_FILES_MAX 16
#define CUV_REQUIREMENTS_DEPTH_MAX 8
/* Most lines of all files together, where a continued line counts once. */
#define CUV_REQUIREMENTS_LINES_MAX 4000
/* Most requirements, most constraints, before repeated ones are folded. */
#define CUV_REQUIREMENTS_MAX 500
#define CUV_CONSTRAINTS_MAX 1000
/* Most indexes that are named. */
#define CUV_REQUIREMENTS_INDEXES_MAX 8
/* Most ignored options and lines. */
#define CUV_REQUIREMENTS_IGNORED_MAX 64
/* Limits inside a requirement: CUV_NAME_LEN_MAX, CUV_EXTRAS_MAX, CUV_HASHES_MAX,
 * CUV_URL_LEN_MAX, CUV_GIT_REF_MAX, CUV_SUBDIRECTORY_MAX (pep508.h),
 * CUV_SPECIFIERS_MAX (pep440_specifier.h), CUV_VERSION_LEN_MAX,
 * CUV_VERSION_NUMBER_MAX (pep440.h), CUV_MARKER_DEPTH_MAX, CUV_MARKER_TERMS_MAX,
 * CUV_MARKER_STRING_MAX (marker.h). */

/* A file that a user sent; borrowed. */
struct cuv_requirements_file {
	const char *name; /* the first one's may be anything, others: cuv_requirements_file_name_valid */
	const void *data;
	size_t len;
};

/* All of a request: the first is the requirements file, the others are there to be
 * included. `-r base.txt` and `-c base.txt` in `dev/all.txt` mean the one that is
 * called `dev/base.txt`. */
struct cuv_requirements_files {
	struct cuv_requirements_file items[CUV_REQUIREMENTS_FILES_MAX];
	size_t n;
	/* Called for a name (a valid one) that is not among them: 0 with *ret filled
	 * in, which becomes one of them, or -errno when there is none. May be NULL. */
	int (*load)(void *arg, const char *name, struct cuv_requirements_file *ret);
	void *arg;
};

/* Something in a file that has no effect, worth a word to the user. */
struct cuv_requirements_ignored {
	uint32_t file;	    /* which, from 0 */
	uint32_t line;	    /* from 1 */
	const char *name;   /* static: the option, or "comment" for a line lost in one */
	const char *reason; /* static: why it has no effect */
};

/* A line that asks for something, or constrains something. */
struct cuv_requirements_line {
	uint32_t file;	 /* which, from 0 */
	uint32_t number; /* from 1 */
	char *text;	 /* as it was sent, shortened, passwords as stars */
	bool constraint;
	size_t item; /* what it became: in items, or in constraints */
};

/* An index that is to be asked: before the service's own, or in its place. */
struct cuv_requirements_index {
	char *url; /* owned; as requirements_index.h has it */
	bool extra;
	uint32_t file;	 /* which, from 0 */
	uint32_t number; /* of the line, from 1 */
	uint32_t column;
	char *text; /* owned; the line, as in cuv_requirements_line */
};

struct cuv_requirements {
	/* Both owned, sorted by their canonical text, each text once. */
	struct cuv_requirement *items;
	size_t n;
	struct cuv_requirement *constraints;
	size_t n_constraints;
	/* In the order of reading; owned. */
	struct cuv_requirements_line *lines;
	size_t n_lines;
	/* The one that takes the place of the service's own first, then the extra ones. */
	struct cuv_requirements_index indexes[CUV_REQUIREMENTS_INDEXES_MAX];
	size_t n_indexes;
	struct cuv_strv files; /* their names */
	bool named;	       /* errors name the first file too: it is a program */
	struct cuv_requirements_ignored ignored[CUV_REQUIREMENTS_IGNORED_MAX];
	size_t n_ignored;
};

/* Parses the first of the files and what it includes of the others, or of those that
 * load finds; borrowed for the call, *ret is the caller's. An include leads from the
 * folder of the file that it stands in to another one of these files, or nowhere. A
 * file that is included twice counts once; one that includes itself is refused.
 * 0; -EINVAL with err set: REQUIREMENTS_ENCODING, REQUIREMENT_INVALID,
 * REQUIREMENT_UNSUPPORTED, REQUIREMENTS_FILE_MISSING or TOO_LARGE, with file (where
 * it is not the first), line, column (characters) and excerpt where it is about a
 * place; -ENOMEM with err set to INTERNAL. */
int cuv_requirements_parse_files(struct cuv_requirements_files *files, struct cuv_requirements **ret,
				 struct cuv_error *err);
/* The same with one file. */
int cuv_requirements_parse(const void *data, size_t len, struct cuv_requirements **ret, struct cuv_error *err);
/* Reads canonical text back: -EINVAL with err set to INTERNAL when it is not its own
 * canonical form. Line n of it is items[n - 1], then come the constraints, then the indexes. */
int cuv_requirements_parse_canonical(const void *data, size_t len, struct cuv_requirements **ret,
				     struct cuv_error *err);

/* Whether a file that is sent along may be called so: a relative path of at most 8
 * names of letters, digits and ._+-@ that lies below where it starts. */
bool cuv_requirements_file_name_valid(const char *name);

/* Takes NULL too; returns NULL. */
struct cuv_requirements *cuv_requirements_free(struct cuv_requirements *r);
static inline void cuv_requirements_freep(struct cuv_requirements **r)
{
	*r = cuv_requirements_free(*r);
}

/* Appends the canonical form, at most CUV_REQUIREMENTS_BYTES_MAX bytes; the
 * buffer's error. */
int cuv_requirements_canonical(const struct cuv_requirements *r, struct cuv_buf *out);
/* Its two parts, as a resolver reads them: requirements, and constraints without
 * the word before them. The buffer's error. */
int cuv_requirements_write(const struct cuv_requirements *r, struct cuv_buf *out);
int cuv_requirements_write_constraints(const struct cuv_requirements *r, struct cuv_buf *out);

/* An error about a line of the canonical form (the resolver's and the builder's,
 * who see nothing else) becomes one about the file that was sent: its name, its line,
 * and that line's text as excerpt. It is left alone when it has no line. */
void cuv_requirements_relocate(const struct cuv_requirements *r, struct cuv_error *err);

/* The first requirement for this package (any spelling of the name), NULL when
 * there is none: to lead from a package of the resolver back to a line. Borrowed. */
const struct cuv_requirement *cuv_requirements_find(const struct cuv_requirements *r, const char *name);

/* Whether a file of this package with this hash ("sha256:…") may be installed: if
 * requirements for it list hashes, one of them has to, and so with constraints. */
bool cuv_requirements_allow_hash(const struct cuv_requirements *r, const char *name, const char *hash);

#endif
