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
	struct cuv_sha256 image_modulo;
	char install_script[CUV_STORE_NAME_SIZE];
	char farm_script[CUV_STORE_NAME_SIZE];
};

int cuv_image_locate(struct cuv_image *image)
{
	return cuv_storepath_fixed(true, &image->sha256, image->name, image->store_name);
}

void cuv_env_paths_done(struct cuv_env_paths *p)
{
	cuv_strv_done(&p->wheels);
	cuv_strv_done(&p->installs);
	*p = CUV_ENV_PATHS_INIT;
}

static int context_init(struct context *c, const struct cuv_lock *lock, const struct cuv_image *image,
			const struct cuv_env_scripts *scripts)
{
	static const char lib[] = "/usr/lib/x86_64-linux-gnu";
	int r;

	c->lock = lock;
	cuv_store_path(image->store_name, c->image_path);
	(void)snprintf(c->lib, sizeof(c->lib), "%s%s", c->image_path, lib);
	(void)snprintf(c->loader, sizeof(c->loader), "%s%s/ld-linux-x86-64.so.2", c->image_path, lib);
	(void)snprintf(c->python, sizeof(c->python), "%s/usr/bin/python%s", c->image_path, lock->python);
	if ((r = cuv_modulo_fixed(true, &image->sha256, image->name, &c->image_modulo)) < 0)
		return r;
	r = cuv_storepath_text(scripts->install, scripts->install_len, "install.py", c->install_script);
	if (r < 0)
		return r;
	return cuv_storepath_text(scripts->farm, scripts->farm_len, "farm.py", c->farm_script);
}

/* What `run` of environment.nix gives every derivation; name and script are
 * borrowed and must outlive d. */
static int derivation_start(const struct context *c, const char *name, const char *script, struct cuv_derivation *d)
{
	int r = 0;

	d->name = name;
	d->system = CUV_PLATFORM;
	d->builder = c->loader;
	r = r ? r : cuv_strv_add(&d->args, "--library-path");
	r = r ? r : cuv_strv_add(&d->args, c->lib);
	r = r ? r : cuv_strv_add(&d->args, c->python);
	r = r ? r : cuv_strv_add(&d->args, "-BPSs");
	r = r ? r : cuv_strv_add(&d->args, "-Wignore");
	r = r ? r : cuv_strv_addf(&d->args, CUV_STORE_DIR "/%s", script);
	r = r ? r : cuv_strv_addf(&d->env, "builder=%s", c->loader);
	r = r ? r : cuv_strv_addf(&d->env, "name=%s", name);
	r = r ? r : cuv_strv_add(&d->env, "system=" CUV_PLATFORM);
	r = r ? r : cuv_strv_add(&d->env, "PYTHONHASHSEED=0");
	r = r ? r : cuv_strv_add(&d->sources, script);
	r = r ? r : cuv_derivation_add_input(d, &c->image_modulo);
	return r;
}

static int install_paths(const struct context *c, const struct cuv_locked *p, struct cuv_env_paths *paths,
			 struct cuv_sha256 *ret_modulo)
{
	_cleanup_derivation_ struct cuv_derivation d = CUV_DERIVATION_INIT;
	char wheel_name[CUV_STORE_NAME_SIZE], wheel[CUV_STORE_NAME_SIZE], name[CUV_STORE_NAME_SIZE];
	char install[CUV_STORE_NAME_SIZE];
	struct cuv_sha256 wheel_modulo;
	int r;

	if ((r = cuv_lock_wheel_name(p, wheel_name)) < 0 || (r = cuv_lock_install_name(p, name)) < 0 ||
	    (r = cuv_storepath_fixed(false, &p->sha256, wheel_name, wheel)) < 0 ||
	    (r = cuv_modulo_fixed(false, &p->sha256, wheel_name, &wheel_modulo)) < 0 ||
	    (r = derivation_start(c, name, c->install_script, &d)) < 0 ||
	    (r = cuv_strv_addf(&d.env, "package=%s", p->name)) < 0 ||
	    (r = cuv_strv_addf(&d.env, "wheel=" CUV_STORE_DIR "/%s", wheel)) < 0 ||
	    (r = cuv_derivation_add_input(&d, &wheel_modulo)) < 0 ||
	    (r = cuv_derivation_output(&d, install, ret_modulo)) < 0 || (r = cuv_strv_add(&paths->wheels, wheel)) < 0)
		return r;
	return cuv_strv_add(&paths->installs, install);
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

static int farm_path(const struct context *c, struct cuv_derivation *d, struct cuv_env_paths *paths)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_LOCK_BYTES_MAX);
	char lock_name[CUV_STORE_NAME_SIZE];
	struct cuv_sha256 modulo;
	int r;

	if ((r = cuv_lock_canonical(c->lock, &text)) < 0 ||
	    (r = cuv_storepath_text(text.data, text.len, "lock.json", lock_name)) < 0 ||
	    (r = derivation_start(c, CUV_ENV_NAME, c->farm_script, d)) < 0 ||
	    (r = cuv_strv_addf(&d->env, "image=%s", c->image_path)) < 0 ||
	    (r = cuv_strv_addf(&d->env, "lock=" CUV_STORE_DIR "/%s", lock_name)) < 0 ||
	    (r = cuv_strv_add(&d->sources, lock_name)) < 0 || (r = parts_variable(paths, d)) < 0)
		return r;
	return cuv_derivation_output(d, paths->env, &modulo);
}

int cuv_env_paths(const struct cuv_lock *lock, const struct cuv_image *image, const struct cuv_env_scripts *scripts,
		  struct cuv_env_paths *ret)
{
	_cleanup_env_paths_ struct cuv_env_paths paths = CUV_ENV_PATHS_INIT;
	_cleanup_derivation_ struct cuv_derivation farm = CUV_DERIVATION_INIT;
	struct context c;
	int r = context_init(&c, lock, image, scripts);

	if (r < 0)
		return r;
	for (size_t i = 0; i < lock->n; i++) {
		struct cuv_sha256 modulo;

		if ((r = install_paths(&c, &lock->packages[i], &paths, &modulo)) < 0 ||
		    (r = cuv_derivation_add_input(&farm, &modulo)) < 0)
			return r;
	}
	r = farm_path(&c, &farm, &paths);
	if (r < 0)
		return r;
	*ret = paths;
	paths = CUV_ENV_PATHS_INIT;
	return 0;
}
