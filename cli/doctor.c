/* SPDX-License-Identifier: MIT */
/*
 * cuvette doctor: for each layer of isolation and each component, is it there,
 * and what to do if not. Changes nothing on the host; the launcher and builder
 * that it asks are those of the running service, or of its own and gone again.
 */
#include "cli/doctor.h"

#include "cli/command.h"
#include "cli/options.h"
#include "cli/serve_settings.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STATE, ALLOWED, ONLINE, JSON, LACKING };
static const struct cuv_option options[] = {
	[STATE] = {"state", 's', "DIR", "CUVETTE_STATE", NULL, "the state folder"},
	[ALLOWED] = {"allow_degraded", 0, "L,L", "CUVETTE_ALLOW_DEGRADED", NULL, "these layers may be missing"},
	[ONLINE] = {"online", 0, NULL, NULL, NULL, "ask the package index too, by making a small environment"},
	[JSON] = {"json", 0, NULL, NULL, NULL, "print the findings as JSON"},
	[LACKING] = {"lacking", 0, NULL, NULL, NULL,
		     "print only the names for --allow-degraded that this host would need, with commas"},
};
static const struct cuv_usage usage = {
	.command = "doctor",
	.operands = "",
	.about = "Says for each layer of isolation and each component: ok, degraded or missing, and what to do.",
	.more = "Exit status: 0 all that is needed is there; 1 something is missing, or a layer is degraded that\n"
		"--allow-degraded does not name.",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.dotenv = true,
};

struct cuv_finding *cuv_findings_add(struct cuv_findings *f, const char *group, const char *name,
				     enum cuv_finding_state state)
{
	struct cuv_finding *item = &f->item[f->n++];

	cuv_assert(f->n <= CUV_FINDINGS_MAX);
	*item = (struct cuv_finding){.group = group, .name = name, .state = state};
	return item;
}

static _printf_(3, 0) void format(char *dst, size_t size, const char *fmt, va_list ap)
{
	char text[2048];
	int n = vsnprintf(text, sizeof(text), fmt, ap);

	cuv_error_copy_text(dst, size, text, n < 0 ? 0 : CUV_MIN((size_t)n, sizeof(text) - 1));
}

void cuv_finding_text(struct cuv_finding *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	format(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

void cuv_finding_fix(struct cuv_finding *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	format(f->fix, sizeof(f->fix), fmt, ap);
	va_end(ap);
}

bool cuv_list_has(const char *list, const char *name)
{
	size_t n = strlen(name);

	while (*list) {
		size_t len = strcspn(list, ",");

		if (len == n && memcmp(list, name, n) == 0)
			return true;
		list += len + (list[len] ? 1 : 0);
	}
	return false;
}

static const char *state_name(const struct cuv_finding *f)
{
	static const char *const names[] = {"ok", "degraded", "missing", "-"};

	return names[f->state];
}

static bool counts(const struct cuv_finding *f)
{
	return f->state == CUV_FOUND_MISSING || (f->state == CUV_FOUND_DEGRADED && !f->allowed);
}

static void print_text(const struct cuv_findings *f)
{
	const char *group = "";
	size_t i;

	for (i = 0; i < f->n; i++) {
		const struct cuv_finding *x = &f->item[i];

		if (strcmp(group, x->group) != 0)
			printf("%s%s\n", i ? "\n" : "", x->group);
		group = x->group;
		printf("  %-9s %-16s %s%s\n", state_name(x), x->name, x->text,
		       x->state == CUV_FOUND_DEGRADED && x->allowed ? " (allowed)" : "");
		if (x->fix[0])
			printf("  %-9s %-16s do: %s\n", "", "", x->fix);
	}
}

static void print_json(const struct cuv_findings *f)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < f->n; i++) {
		const struct cuv_finding *x = &f->item[i];

		(void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b, s:s, s:s}", "group", x->group, "name",
							    x->name, "state",
							    x->state == CUV_FOUND_INFO ? "info" : state_name(x),
							    "needed", counts(x), "text", x->text, "do", x->fix));
	}
	(void)json_dumpf(list, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(list);
}

/* What a service here would have to be allowed; 1 when nothing can be allowed
 * to make it start. */
static int print_lacking(const struct cuv_findings *f)
{
	const char *comma = "";
	size_t i;

	for (i = 0; i < f->n; i++) {
		if (f->item[i].state == CUV_FOUND_MISSING) {
			cuv_say("%s: %s", f->item[i].name, f->item[i].text);
			return CUV_EXIT_FAILED;
		}
		if (f->item[i].state != CUV_FOUND_DEGRADED)
			continue;
		printf("%s%s", comma, f->item[i].name);
		comma = ",";
	}
	putchar('\n');
	return CUV_EXIT_OK;
}

int cuv_cmd_doctor(int argc, char **argv)
{
	_cleanup_values_ struct cuv_values v;
	enum cuv_parsed parsed = cuv_options_parse(&usage, argc, argv, &v);
	struct cuv_findings *f;
	struct cuv_doctor_spec spec;
	struct cuv_error err = CUV_ERROR_INIT;
	int status = CUV_EXIT_OK;
	size_t i;

	if (parsed != CUV_PARSED_GO)
		return parsed == CUV_PARSED_HELP ? CUV_EXIT_OK : CUV_EXIT_USAGE;
	spec = (struct cuv_doctor_spec){.state = v.value[STATE].text,
					.allowed = v.value[ALLOWED].text ? v.value[ALLOWED].text : "",
					.online = v.value[ONLINE].text != NULL,
					.layers_only = v.value[LACKING].text != NULL};
	if (cuv_serve_settings_degraded(spec.allowed, &err) < 0) {
		cuv_say("%s", err.message);
		return CUV_EXIT_USAGE;
	}
	f = calloc(1, sizeof(*f));
	if (!f) {
		cuv_say("no memory");
		return CUV_EXIT_FAILED;
	}
	if (!spec.layers_only)
		cuv_doctor_host(f);
	cuv_doctor_crew(&spec, f);
	if (spec.layers_only) {
		status = print_lacking(f);
	} else {
		if (v.value[JSON].text)
			print_json(f);
		else
			print_text(f);
		for (i = 0; i < f->n; i++)
			if (counts(&f->item[i]))
				status = CUV_EXIT_FAILED;
	}
	free(f);
	return status;
}
