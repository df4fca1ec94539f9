/* SPDX-License-Identifier: MIT */
#include "nixenv/envpath.h"

#include "nixenv/storepath.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PARTS_MAX (CUV_PACKAGES_MAX * CUV_STORE_PATH_SIZE)

/* What all derivations of one environment share. */
struct context {
	const struct cuv_lock *lock;
	char image_path[CUV_STORE_PATH_SIZE];
	char loader[CUV_STORE_PATH_SIZE + 64];
	char lib[CUV_STORE_PATH_SIZE + 64];
	char python[CUV_STORE_PATH_SIZE + 64];
	struct cuv_derivation_ref image;
};

int cuv_image_locate(struct cuv_image *image)
{
	return cuv_storepath_fixed(true, &image->sha256, image->name, image->store_name);
}

void cuv_env_paths_done(struct cuv_env_paths *p)
{
	cuv_strv_done(&p->wheels);
	cuv_strv_done(&p->installs);
	for (size_t i = 0; i < p->n_derivations; i++)
		cuv_derivation_done(&p->derivations[i]);
	free(p->derivations);
	*p = CUV_ENV_PATHS_INIT;
}

/* As build.nix names it: how the image was made does not matter, and it is there. */
static int image_derivation(const struct cuv_image *image, struct cuv_derivation_ref *ret)
{
	_cleanup_derivation_ struct cuv_derivation d = CUV_DERIVATION_INIT;
	int r;

	if ((r = cuv_derivation_init(&d, image->name, "worker image (run: make store)", "make-store")) < 0 ||
	    (r = cuv_derivation_fix(&d, true, &image->sha256)) < 0 || (r = cuv_derivation_finish(&d)) < 0)
		return r;
	*ret = d.self;
	return 0;
}

/* The canonical form has no addresses, so this is what stands for one. */
static int wheel_derivation(const struct cuv_locked *p, struct cuv_derivation_ref *ret)
{
	_cleanup_derivation_ struct cuv_derivation d = CUV_DERIVATION_INIT;
	char name[CUV_STORE_NAME_SIZE];
	int r;

	if ((r = cuv_lock_wheel_name(p, name)) < 0 ||
	    (r = cuv_derivation_init(&d, name, "builtin", "builtin:fetchurl")) < 0 ||
	    (r = cuv_derivation_fix(&d, false, &p->sha256)) < 0 ||
	    (r = cuv_strv_addf(&d.env, "url=wheel:%s", p->file)) < 0 ||
	    (r = cuv_strv_add(&d.env, "preferLocalBuild=1")) < 0 || (r = cuv_derivation_finish(&d)) < 0)
		return r;
	*ret = d.self;
	return 0;
}

static int context_init(struct context *c, const struct cuv_lock *lock, const struct cuv_image *image)
{
	static const char lib[] = "/usr/lib/x86_64-linux-gnu";

	c->lock = lock;
	cuv_store_path(image->store_name, c->image_path);
	(void)snprintf(c->lib, sizeof(c->lib), "%s%s", c->image_path, lib);
	(void)snprintf(c->loader, sizeof(c->loader), "%s%s/ld-linux-x86-64.so.2", c->image_path, lib);
	(void)snprintf(c->python, sizeof(c->python), "%s/usr/bin/python%s", c->image_path, lock->python);
	return image_derivation(image, &c->image);
}

static int find_texts(const struct cuv_lock *lock, const struct cuv_env_scripts *scripts, struct cuv_env_paths *p)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_LOCK_BYTES_MAX);
	int r;

	if ((r = cuv_lock_canonical(lock, &text)) < 0 ||
	    (r = cuv_storepath_text(text.data, text.len, "lock.json", NULL, p->lock)) < 0 ||
	    (r = cuv_storepath_text(scripts->install, scripts->install_len, "install.py", NULL, p->install_script)) < 0)
		return r;
	return cuv_storepath_text(scripts->farm, scripts->farm_len, "farm.py", NULL, p->farm_script);
}

/* What `run` of environment.nix gives every derivation. */
static int derivation_start(const struct context *c, const char *name, const char *script, struct cuv_derivation *d)
{
	int r = cuv_derivation_init(d, name, CUV_PLATFORM, c->loader);

	r = r ? r : cuv_strv_add(&d->args, "--library-path");
	r = r ? r : cuv_strv_add(&d->args, c->lib);
	r = r ? r : cuv_strv_add(&d->args, c->python);
	r = r ? r : cuv_strv_add(&d->args, "-BPSs");
	r = r ? r : cuv_strv_add(&d->args, "-Wignore");
	r = r ? r : cuv_strv_addf(&d->args, CUV_STORE_DIR "/%s", script);
	r = r ? r : cuv_strv_add(&d->env, "PYTHONHASHSEED=0");
	r = r ? r : cuv_strv_add(&d->sources, script);
	return r ? r : cuv_derivation_add_input(d, &c->image);
}

static int make_install(const struct context *c, const struct cuv_locked *p, struct cuv_env_paths *paths,
			struct cuv_derivation *d)
{
	char name[CUV_STORE_NAME_SIZE];
	struct cuv_derivation_ref wheel;
	int r;

	if ((r = wheel_derivation(p, &wheel)) < 0 || (r = cuv_lock_install_name(p, name)) < 0 ||
	    (r = derivation_start(c, name, paths->install_script, d)) < 0 ||
	    (r = cuv_strv_addf(&d->env, "package=%s", p->name)) < 0 ||
	    (r = cuv_strv_addf(&d->env, "wheel=" CUV_STORE_DIR "/%s", wheel.out)) < 0 ||
	    (r = cuv_derivation_add_input(d, &wheel)) < 0 || (r = cuv_derivation_finish(d)) < 0 ||
	    (r = cuv_strv_add(&paths->wheels, wheel.out)) < 0)
		return r;
	return cuv_strv_add(&paths->installs, d->self.out);
}

/* Nix hands a list to a builder as its items with a blank between. */
static int parts_variable(const struct cuv_env_paths *paths, struct cuv_derivation *d)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(PARTS_MAX);

	cuv_buf_add_str(&b, "parts=");
	for (size_t i = 0; i < paths->installs.n; i++)
		cuv_buf_addf(&b, "%s" CUV_STORE_DIR "/%s", i ? " " : "", paths->installs.items[i]);
	return cuv_buf_err(&b) ? cuv_buf_err(&b) : cuv_strv_add(&d->env, cuv_buf_str(&b));
}

static int make_farm(const struct context *c, struct cuv_env_paths *paths, struct cuv_derivation *d)
{
	int r;

	if ((r = derivation_start(c, "cuvette-environment", paths->farm_script, d)) < 0 ||
	    (r = cuv_strv_addf(&d->env, "image=%s", c->image_path)) < 0 ||
	    (r = cuv_strv_addf(&d->env, "lock=" CUV_STORE_DIR "/%s", paths->lock)) < 0 ||
	    (r = cuv_strv_add(&d->sources, paths->lock)) < 0 || (r = parts_variable(paths, d)) < 0)
		return r;
	for (size_t i = 0; i < c->lock->n; i++)
		if ((r = cuv_derivation_add_input(d, &paths->derivations[i].self)) < 0)
			return r;
	if ((r = cuv_derivation_finish(d)) < 0)
		return r;
	memcpy(paths->env, d->self.out, sizeof(paths->env));
	return 0;
}

int cuv_env_paths(const struct cuv_lock *lock, const struct cuv_image *image, const struct cuv_env_scripts *scripts,
		  struct cuv_env_paths *ret)
{
	_cleanup_env_paths_ struct cuv_env_paths paths = CUV_ENV_PATHS_INIT;
	struct context c;
	int r;

	if ((r = context_init(&c, lock, image)) < 0 || (r = find_texts(lock, scripts, &paths)) < 0)
		return r;
	paths.derivations = calloc(lock->n + 1, sizeof(*paths.derivations));
	if (!paths.derivations)
		return -ENOMEM;
	paths.n_derivations = lock->n + 1;
	for (size_t i = 0; i < lock->n; i++)
		if ((r = make_install(&c, &lock->packages[i], &paths, &paths.derivations[i])) < 0)
			return r;
	if ((r = make_farm(&c, &paths, &paths.derivations[lock->n])) < 0)
		return r;
	*ret = paths;
	paths = CUV_ENV_PATHS_INIT;
	return 0;
}
