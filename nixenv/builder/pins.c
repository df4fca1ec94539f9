/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/pins.h"

#include "nixenv/builder/recipes.h"
#include "nixenv/storepath.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct cuv_embedded *find_recipe(const char *name)
{
	for (const struct cuv_embedded *recipe = cuv_recipes; recipe->name; recipe++)
		if (strcmp(recipe->name, name) == 0)
			return recipe;
	return NULL;
}

/* A new reference, or NULL. */
static json_t *load_pins(const char *name)
{
	const struct cuv_embedded *recipe = find_recipe(name);

	return recipe ? json_loadb((const char *)recipe->data, recipe->len, JSON_REJECT_DUPLICATES, NULL) : NULL;
}

/* A recursive fixed output of this name and hash must lie where the pins say. */
static int locate(const char *name, const char *hex, const char *path, struct cuv_sha256 *ret_hash,
		  char ret[CUV_STORE_NAME_SIZE])
{
	char expected[CUV_STORE_PATH_SIZE];

	if (cuv_unhex(hex, sizeof(ret_hash->bytes), ret_hash->bytes) < 0 ||
	    cuv_storepath_fixed(true, ret_hash, name, ret) < 0)
		return -EINVAL;
	cuv_store_path(ret, expected);
	return strcmp(expected, path) == 0 ? 0 : -EINVAL;
}

static int read_image(const struct cuv_python *python, struct cuv_pinned *ret)
{
	char file[64];
	const char *image, *version, *hex, *path;

	(void)snprintf(file, sizeof(file), "%s.json", python->image);
	json_auto_t *root = load_pins(file);
	if (!root ||
	    json_unpack(root, "{s:s, s:s, s:s, s:s}", "image", &image, "python", &version, "sha256", &hex, "path",
			&path) < 0 ||
	    strcmp(version, python->version) != 0 || strcmp(image, python->image) != 0)
		return -EINVAL;
	if ((size_t)snprintf(ret->image.name, sizeof(ret->image.name), "worker-image-%s", image) >=
	    sizeof(ret->image.name))
		return -EINVAL;
	ret->python = python;
	return locate(ret->image.name, hex, path, &ret->image.sha256, ret->image.store_name);
}

/* Not every Python has one. */
static int read_build_root(struct cuv_pinned *p)
{
	char file[64], name[CUV_STORE_NAME_SIZE];
	const char *image, *version, *hex, *path;
	struct cuv_sha256 hash;

	(void)snprintf(file, sizeof(file), "build-%s.json", p->python->image);
	if (!find_recipe(file))
		return 0;
	json_auto_t *root = load_pins(file);
	if (!root ||
	    json_unpack(root, "{s:s, s:s, s:s, s:s}", "image", &image, "python", &version, "sha256", &hex, "path",
			&path) < 0 ||
	    strcmp(version, p->python->version) != 0 ||
	    (size_t)snprintf(name, sizeof(name), "worker-image-%s", image) >= sizeof(name))
		return -EINVAL;
	return locate(name, hex, path, &hash, p->build_root);
}

static int read_images(struct cuv_pins *p)
{
	for (size_t i = 0; i < cuv_pythons_n; i++) {
		struct cuv_tools_python *t = &p->tools.pythons[i];

		if (i >= CUV_PYTHONS_MAX || strlen(cuv_pythons[i].full) >= sizeof(t->python) ||
		    read_image(&cuv_pythons[i], &p->pythons[i]) < 0 || read_build_root(&p->pythons[i]) < 0)
			return -EINVAL;
		memcpy(t->python, cuv_pythons[i].full, strlen(cuv_pythons[i].full) + 1);
		memcpy(t->image, p->pythons[i].image.store_name, sizeof(t->image));
	}
	p->n_pythons = p->tools.n_pythons = cuv_pythons_n;
	return 0;
}

static int read_tool(json_t *root, const char *wanted, char ret[CUV_STORE_NAME_SIZE], char *ret_version, size_t size)
{
	json_t *tools = json_object_get(root, "tools"), *tool;
	size_t i;

	json_array_foreach(tools, i, tool)
	{
		const char *name, *version, *hex, *path;
		char full[CUV_STORE_NAME_SIZE];
		struct cuv_sha256 hash;

		if (json_unpack(tool, "{s:s, s:s, s:s, s:s}", "name", &name, "version", &version, "sha256", &hex,
				"path", &path) < 0 ||
		    strlen(version) >= size || strlen(name) > 64)
			return -EINVAL;
		if (strcmp(name, wanted) != 0)
			continue;
		(void)snprintf(full, sizeof(full), "%s-%s", name, version);
		memcpy(ret_version, version, strlen(version) + 1);
		return locate(full, hex, path, &hash, ret);
	}
	return -EINVAL;
}

static int read_scripts(struct cuv_pins *p)
{
	const struct cuv_embedded *install = find_recipe("install.py"), *farm = find_recipe("farm.py");
	char names[2][CUV_STORE_NAME_SIZE], text[4 * CUV_STORE_NAME_SIZE];
	int n;

	if (!install || !farm)
		return -EINVAL;
	p->scripts = (struct cuv_env_scripts){install->data, install->len, farm->data, farm->len};
	if (cuv_storepath_text(install->data, install->len, install->name, NULL, names[0]) < 0 ||
	    cuv_storepath_text(farm->data, farm->len, farm->name, NULL, names[1]) < 0)
		return -EINVAL;
	for (size_t i = 0; i < p->n_pythons; i++) {
		n = snprintf(text, sizeof(text), "%s\n%s\n%s\n", p->pythons[i].image.store_name, names[0], names[1]);
		cuv_sha256(text, (size_t)n, &p->pythons[i].recipes);
	}
	return 0;
}

int cuv_pins_read(struct cuv_pins *ret, struct cuv_error *err)
{
	json_auto_t *tools = load_pins("tools.json");
	struct cuv_pins p = {0};

	if (read_images(&p) < 0 || !tools ||
	    read_tool(tools, "uv", p.tools.uv, p.tools.uv_version, sizeof(p.tools.uv_version)) < 0 ||
	    read_tool(tools, "ruff", p.tools.ruff, p.tools.ruff_version, sizeof(p.tools.ruff_version)) < 0 ||
	    read_scripts(&p) < 0)
		return cuv_error_set(err, CUV_E_INTERNAL,
				     "the pins of images and tools are not right (run: make update-pins)");
	*ret = p;
	return 0;
}

/* Where a gc root leads; "" when there is none. */
static void read_root(const struct cuv_builder_state *s, const char *name, char ret[CUV_STORE_PATH_SIZE + 1])
{
	char root[PATH_MAX];

	cuv_path_join(s->roots, name, root);
	ssize_t n = readlink(root, ret, CUV_STORE_PATH_SIZE);
	ret[n < 0 ? 0 : n] = '\0';
}

const struct cuv_pinned *cuv_pins_find(const struct cuv_pins *p, const char *python)
{
	for (size_t i = 0; i < p->n_pythons; i++)
		if (strcmp(p->pythons[i].python->version, python) == 0)
			return &p->pythons[i];
	return NULL;
}

static bool has_root(const struct cuv_builder_state *s, const char *root, const char *store_name)
{
	char want[CUV_STORE_PATH_SIZE], target[CUV_STORE_PATH_SIZE + 1];

	cuv_store_path(store_name, want);
	read_root(s, root, target);
	return strcmp(target, want) == 0 && cuv_builder_has_path(s, store_name);
}

int cuv_pins_check(const struct cuv_pins *p, const struct cuv_builder_state *s, struct cuv_error *err)
{
	const struct {
		const char *what;
		const char *root;
		const char *store_name;
	} parts[] = {
		{"worker image", p->pythons[0].image.name, p->pythons[0].image.store_name},
		{"resolver (uv)", "uv", p->tools.uv},
		{"linter (ruff)", "ruff", p->tools.ruff},
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (!has_root(s, parts[i].root, parts[i].store_name))
			return cuv_error_set(err, CUV_E_UNAVAILABLE, "the store lacks the pinned %s (run: make store)",
					     parts[i].what);
	return 0;
}

int cuv_pins_check_build_root(const struct cuv_pinned *p, const struct cuv_builder_state *s, struct cuv_error *err)
{
	const char *version = p->python->version;

	if (!p->build_root[0])
		return cuv_error_set(err, CUV_E_WHEEL_UNAVAILABLE,
				     "nothing is compiled for Python %s here; choose a version that has a wheel",
				     version);
	/* Its link is called as it is, without the hash. */
	if (has_root(s, strchr(p->build_root, '-') + 1, p->build_root))
		return 0;
	return cuv_error_set(err, CUV_E_UNAVAILABLE,
			     "the store lacks the image with a compiler for Python %s (run: make build-root%s%s)",
			     version,
			     p->python == cuv_pythons ? "" : " PYTHON=", p->python == cuv_pythons ? "" : version);
}

int cuv_pins_check_image(const struct cuv_pinned *p, const struct cuv_builder_state *s, struct cuv_error *err)
{
	if (has_root(s, p->image.name, p->image.store_name))
		return 0;
	return cuv_error_set(err, CUV_E_UNAVAILABLE,
			     "the store lacks the image of Python %s (run: make store PYTHON=%s)", p->python->version,
			     p->python->version);
}

bool cuv_pins_zygote(const struct cuv_python *python, const struct cuv_builder_state *s, char ret[CUV_STORE_NAME_SIZE])
{
	static const char before[] = CUV_STORE_DIR "/";
	char target[CUV_STORE_PATH_SIZE + 1], suffix[32], root[64], after[64];

	ret[0] = '\0';
	cuv_python_suffix(python, suffix);
	(void)snprintf(root, sizeof(root), "zygote%s", suffix);
	(void)snprintf(after, sizeof(after), "-cuvette-zygote%s", suffix);
	read_root(s, root, target);
	size_t len = strlen(target);
	if (len <= strlen(before) + strlen(after) || strncmp(target, before, strlen(before)) != 0 ||
	    strcmp(target + len - strlen(after), after) != 0 || len - strlen(before) >= CUV_STORE_NAME_SIZE)
		return false;
	const char *name = target + strlen(before);
	if (!cuv_store_name_valid(name) || !cuv_builder_has_path(s, name))
		return false;
	memcpy(ret, name, strlen(name) + 1);
	return true;
}
