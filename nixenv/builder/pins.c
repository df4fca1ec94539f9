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

static const struct cuv_recipe *find_recipe(const char *name)
{
	for (const struct cuv_recipe *recipe = cuv_recipes; recipe->name; recipe++)
		if (strcmp(recipe->name, name) == 0)
			return recipe;
	return NULL;
}

/* A new reference, or NULL. */
static json_t *load_pins(const char *name)
{
	const struct cuv_recipe *recipe = find_recipe(name);

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

/* The interpreter's version is that of its package, without Debian's revision. */
static int python_version(json_t *debs, char *ret, size_t size)
{
	json_t *deb;
	size_t i;

	json_array_foreach(debs, i, deb)
	{
		const char *package, *version;

		if (json_unpack(deb, "{s:s, s:s}", "package", &package, "version", &version) < 0)
			return -EINVAL;
		if (strcmp(package, "python" CUV_PYTHON "-minimal") == 0) {
			size_t len = strcspn(version, "-");

			if (len >= size)
				return -EINVAL;
			memcpy(ret, version, len);
			ret[len] = '\0';
			return 0;
		}
	}
	return -EINVAL;
}

static int read_image(struct cuv_pins *p)
{
	json_auto_t *root = load_pins("python311.json");
	const char *image, *python, *hex, *path;
	json_t *debs;

	if (!root ||
	    json_unpack(root, "{s:s, s:s, s:s, s:s, s:o}", "image", &image, "python", &python, "sha256", &hex, "path",
			&path, "debs", &debs) < 0 ||
	    strcmp(python, CUV_PYTHON) != 0)
		return -EINVAL;
	if ((size_t)snprintf(p->image.name, sizeof(p->image.name), "worker-image-%s", image) >= sizeof(p->image.name))
		return -EINVAL;
	if (locate(p->image.name, hex, path, &p->image.sha256, p->image.store_name) < 0)
		return -EINVAL;
	memcpy(p->tools.image, p->image.store_name, sizeof(p->tools.image));
	return python_version(debs, p->tools.python, sizeof(p->tools.python));
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
	const struct cuv_recipe *install = find_recipe("install.py"), *farm = find_recipe("farm.py");
	char names[2][CUV_STORE_NAME_SIZE], text[4 * CUV_STORE_NAME_SIZE];
	int n;

	if (!install || !farm)
		return -EINVAL;
	p->scripts = (struct cuv_env_scripts){install->data, install->len, farm->data, farm->len};
	if (cuv_storepath_text(install->data, install->len, install->name, NULL, names[0]) < 0 ||
	    cuv_storepath_text(farm->data, farm->len, farm->name, NULL, names[1]) < 0)
		return -EINVAL;
	n = snprintf(text, sizeof(text), "%s\n%s\n%s\n", p->image.store_name, names[0], names[1]);
	cuv_sha256(text, (size_t)n, &p->recipes);
	return 0;
}

int cuv_pins_read(struct cuv_pins *ret, struct cuv_error *err)
{
	json_auto_t *tools = load_pins("tools.json");
	struct cuv_pins p = {0};

	if (read_image(&p) < 0 || !tools ||
	    read_tool(tools, "uv", p.tools.uv, p.tools.uv_version, sizeof(p.tools.uv_version)) < 0 ||
	    read_tool(tools, "ruff", p.tools.ruff, p.tools.ruff_version, sizeof(p.tools.ruff_version)) < 0 ||
	    read_scripts(&p) < 0)
		return cuv_error_set(err, CUV_E_INTERNAL,
				     "the pins of image and tools are not right (run: make update-pins)");
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

int cuv_pins_check(const struct cuv_pins *p, const struct cuv_builder_state *s, struct cuv_error *err)
{
	const struct {
		const char *what;
		const char *root;
		const char *store_name;
	} parts[] = {
		{"worker image", p->image.name, p->image.store_name},
		{"resolver (uv)", "uv", p->tools.uv},
		{"linter (ruff)", "ruff", p->tools.ruff},
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		char want[CUV_STORE_PATH_SIZE], target[CUV_STORE_PATH_SIZE + 1];

		cuv_store_path(parts[i].store_name, want);
		read_root(s, parts[i].root, target);
		if (strcmp(target, want) != 0 || !cuv_builder_has_path(s, parts[i].store_name))
			return cuv_error_set(err, CUV_E_UNAVAILABLE, "the store lacks the pinned %s (run: make store)",
					     parts[i].what);
	}
	return 0;
}

bool cuv_pins_zygote(const struct cuv_builder_state *s, char ret[CUV_STORE_NAME_SIZE])
{
	static const char before[] = CUV_STORE_DIR "/", after[] = "-cuvette-zygote";
	char target[CUV_STORE_PATH_SIZE + 1];

	ret[0] = '\0';
	read_root(s, "zygote", target);
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
