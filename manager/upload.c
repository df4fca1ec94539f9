/* SPDX-License-Identifier: MIT */
#include "manager/upload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 4096u
#define NAME_SHOWN 160
/* What keeping a name costs besides its bytes. */
#define NAME_COST 64
#define MAIN_FILE "main.py"

struct cuv_upload_name {
	char *name;
	bool folder;
};

void cuv_upload_done(struct cuv_upload *u)
{
	for (size_t i = 0; i < u->n_names; i++)
		free(u->names[i].name);
	free(u->names);
	cuv_bundle_close(&u->out);
	*u = CUV_UPLOAD_INIT;
}

static const char *program_of(const struct cuv_upload *u)
{
	return u->program ? u->program : MAIN_FILE;
}

static int no_memory(struct cuv_error *err)
{
	cuv_error_set(err, CUV_E_OVERLOADED, "the service has no memory left for this request; try again");
	if (err)
		err->retry_after_s = 2;
	return -ENOMEM;
}

static int refuse(const struct cuv_upload *u, const char *name, size_t len, const char *what, struct cuv_error *err)
{
	char shown[NAME_SHOWN];

	cuv_error_copy_text(shown, sizeof(shown), name, len);
	return cuv_error_set(err, CUV_E_FILE_REFUSED, "%s: `%s` %s", u->where, shown, what);
}

static int too_much(const struct cuv_upload *u, int r, struct cuv_error *err)
{
	if (r != -E2BIG)
		return no_memory(err);
	return cuv_error_set(err, CUV_E_TOO_LARGE, "%s: there are more than %d files, or more than %llu MiB in them",
			     u->where, CUV_BUNDLE_ENTRIES_MAX, CUV_BUNDLE_BYTES_MAX / CUV_MIB);
}

static int charge(struct cuv_upload *u, size_t bytes, struct cuv_error *err)
{
	if (!u->charge || cuv_charge_add(u->charge, bytes))
		return 0;
	(void)cuv_charge_refused(u->charge, err, "request");
	return -ENOMEM;
}

static int keep_name(struct cuv_upload *u, const char *name, size_t len, bool folder, struct cuv_error *err)
{
	int r;

	if (u->n_names == CUV_BUNDLE_ENTRIES_MAX)
		return too_much(u, -E2BIG, err);
	if (!u->names) {
		r = charge(u, CUV_BUNDLE_ENTRIES_MAX * sizeof(*u->names), err);
		if (r < 0)
			return r;
		u->names = calloc(CUV_BUNDLE_ENTRIES_MAX, sizeof(*u->names));
	}
	r = charge(u, len + NAME_COST, err);
	if (r < 0)
		return r;
	if (!u->names || !(u->names[u->n_names].name = strndup(name, len)))
		return no_memory(err);
	u->names[u->n_names++].folder = folder;
	return 0;
}

int cuv_upload_begin(struct cuv_upload *u, enum cuv_bundle_kind kind, bool executable, const char *name, size_t len,
		     struct cuv_error *err)
{
	int r;

	if (len > 0 && name[0] == '/')
		return refuse(u, name, len, "is absolute; names are relative to the folder of main.py", err);
	if (!cuv_bundle_name_valid(name, len))
		return refuse(u, name, len,
			      "can't be the name of a file: relative, UTF-8 without control characters and "
			      "backslashes, no empty component, `.` or `..`, below at most 15 folders",
			      err);
	if (len == strlen(program_of(u)) && memcmp(name, program_of(u), len) == 0)
		return refuse(u, name, len, "is the program itself, which is the field `code`", err);
	r = keep_name(u, name, len, kind == CUV_BUNDLE_FOLDER, err);
	if (r == 0 && u->out.fd < 0 && cuv_bundle_open(&u->out, "files") < 0)
		r = no_memory(err);
	if (r < 0)
		return r;
	r = cuv_bundle_begin(&u->out, kind, executable, u->names[u->n_names - 1].name);
	return r < 0 ? too_much(u, r, err) : 0;
}

int cuv_upload_data(struct cuv_upload *u, const void *data, size_t len, struct cuv_error *err)
{
	int r = charge(u, len, err);

	if (r < 0)
		return r;
	r = cuv_bundle_data(&u->out, data, len);
	return r < 0 ? too_much(u, r, err) : 0;
}

int cuv_upload_end(struct cuv_upload *u, struct cuv_error *err)
{
	u->pages += (u->out.size + PAGE_BYTES - 1) / PAGE_BYTES;
	return cuv_bundle_end(&u->out) < 0 ? no_memory(err) : 0;
}

int cuv_upload_file(struct cuv_upload *u, const char *name, const void *data, size_t len, struct cuv_error *err)
{
	int r = cuv_upload_begin(u, CUV_BUNDLE_FILE, false, name, strlen(name), err);

	if (r == 0)
		r = cuv_upload_data(u, data, len, err);
	return r == 0 ? cuv_upload_end(u, err) : r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct cuv_upload_name *)a)->name, ((const struct cuv_upload_name *)b)->name);
}

static const struct cuv_upload_name *find(const struct cuv_upload *u, char *name)
{
	const struct cuv_upload_name key = {.name = name};

	return bsearch(&key, u->names, u->n_names, sizeof(*u->names), by_name);
}

/* Whether one of the folders that it is in is a file. */
static bool is_below_file(const struct cuv_upload *u, const char *name)
{
	char path[CUV_BUNDLE_NAME_SIZE];

	memcpy(path, name, strlen(name) + 1);
	for (char *slash = strrchr(path, '/'); slash; slash = strrchr(path, '/')) {
		const struct cuv_upload_name *parent;

		*slash = '\0';
		parent = find(u, path);
		if (parent && !parent->folder)
			return true;
	}
	return false;
}

static bool is_below_program(const struct cuv_upload *u, const char *name)
{
	const size_t len = strlen(program_of(u));

	return strncmp(name, program_of(u), len) == 0 && name[len] == '/';
}

static int check_names(struct cuv_upload *u, struct cuv_error *err)
{
	size_t i;

	if (u->n_names > 0)
		qsort(u->names, u->n_names, sizeof(*u->names), by_name);
	for (i = 0; i < u->n_names; i++) {
		const char *name = u->names[i].name;
		const bool same = i > 0 && strcmp(name, u->names[i - 1].name) == 0;

		if (same && !(u->names[i].folder && u->names[i - 1].folder))
			return refuse(u, name, strlen(name), "came twice", err);
		if (is_below_file(u, name) || is_below_program(u, name))
			return refuse(u, name, strlen(name), "is below what is a file", err);
	}
	return 0;
}

int cuv_upload_finish(struct cuv_upload *u, const struct cuv_limits *limits, struct cuv_error *err)
{
	int r;

	u->where = "the files";
	r = check_names(u, err);
	if (r < 0 || u->out.fd < 0)
		return r;
	/* The folder and main.py are two inodes, and main.py has at least a page. */
	if (u->pages + 1 > limits->value[CUV_LIMIT_WORK] / PAGE_BYTES ||
	    u->n_names + 2 > limits->value[CUV_LIMIT_WORK_INODES])
		return cuv_error_set(err, CUV_E_LIMIT_EXCEEDED,
				     "the files don't fit into the work folder (work_size, work_inodes)");
	return cuv_bundle_seal(&u->out) < 0 ? no_memory(err) : 0;
}
