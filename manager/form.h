/* SPDX-License-Identifier: MIT */
/*
 * The fields of a multipart form, collected in memory under limits: a table
 * says which names there are and how large each may be; what is not in the
 * table is refused by name, as is a field sent twice. The sum of all fields is
 * bounded too, and charged to a budget before memory is taken.
 */
#ifndef CUV_FORM_H
#define CUV_FORM_H

#include "manager/budget.h"
#include "manager/multipart.h"

enum cuv_field_kind {
	CUV_FIELD_TEXT,	 /* a value; kept as text without NUL bytes */
	CUV_FIELD_FILE,	 /* bytes */
	CUV_FIELD_FILES, /* any number of files, each with a name; max_bytes is for each */
};

struct cuv_field_info {
	const char *name;
	enum cuv_field_kind kind;
	size_t max_bytes;
};

#define CUV_FIELDS_MAX 40
/* Most files of all FILES fields together: as many parts as a body may have. */
#define CUV_FORM_FILES_MAX CUV_PARTS_MAX

/* Small: each request has a table of them for as long as it lasts. */
struct cuv_field {
	bool seen;
	bool has_filename;
	char *filename; /* owned; NULL without has_filename */
	struct cuv_buf value;
};

/* One file of a FILES field. */
struct cuv_form_file {
	size_t field;
	char *filename; /* owned */
	struct cuv_buf value;
};

struct cuv_form {
	const struct cuv_field_info *table; /* borrowed */
	size_t n;
	struct cuv_field fields[CUV_FIELDS_MAX]; /* as in the table */
	struct cuv_charge *charge;		 /* borrowed */
	size_t total_max_bytes;
	size_t total_bytes;
	bool lenient;		     /* what is not in the table is skipped, not refused */
	size_t current;		     /* field that is being filled, … */
	struct cuv_buf *into;	     /* … and where its bytes go; NULL: they are skipped */
	struct cuv_form_file *files; /* owned; room for CUV_FORM_FILES_MAX, NULL before the first */
	size_t n_files;
};

/* n <= CUV_FIELDS_MAX; table and charge must outlive the form. */
void cuv_form_init(struct cuv_form *f, const struct cuv_field_info *table, size_t n, size_t total_max_bytes,
		   struct cuv_charge *charge);
void cuv_form_done(struct cuv_form *f);
#define _cleanup_form_ _cleanup_(cuv_form_done)

/* What fills the form from a cuv_multipart. */
struct cuv_multipart_sink cuv_form_sink(struct cuv_form *f);

/* The field of this name when it was sent, else NULL. Borrowed. */
const struct cuv_field *cuv_form_get(const struct cuv_form *f, const char *name);
/* It came as a file whose name ends so, and is longer than that. */
bool cuv_field_is_file(const struct cuv_field *field, const char *suffix);
/* The i-th file that came for a FILES field, in the order of the form; NULL when
 * there are not so many. Borrowed. */
const struct cuv_form_file *cuv_form_file(const struct cuv_form *f, const char *name, size_t i);

#endif
