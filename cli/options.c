/* SPDX-License-Identifier: MIT */
#include "cli/options.h"

#include "cli/command.h"
#include "cli/dotenv.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define OPTION_NAME_SIZE 48
/* Values above every character that getopt can return for a short option. */
#define LONG_BASE 256
#define HELP_COLUMN 34

void cuv_values_done(struct cuv_values *v)
{
	for (size_t i = 0; i < CUV_OPTIONS_MAX; i++)
		cuv_strv_done(&v->all[i]);
	cuv_strv_done(&v->kept);
}

const char *cuv_source_name(enum cuv_source source)
{
	static const char *const names[] = {"default", ".env", "environment", "command line"};

	cuv_assert((unsigned)source < ARRAY_SIZE(names));
	return names[source];
}

void cuv_option_typed(const char *name, char *ret, size_t size)
{
	size_t i;

	cuv_assert(strlen(name) < size);
	for (i = 0; name[i]; i++)
		ret[i] = name[i] == '_' ? '-' : name[i];
	ret[i] = '\0';
}

static void print_option(const struct cuv_option *o)
{
	char typed[OPTION_NAME_SIZE], left[128];
	int n;

	if (o->letter == CUV_NO_FLAG) {
		printf("      $%-*s%s\n", HELP_COLUMN - 7, o->env, o->text);
		return;
	}
	cuv_option_typed(o->name, typed, sizeof(typed));
	n = snprintf(left, sizeof(left), "  %c%c%s --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
		     o->letter ? "," : " ", typed, o->arg ? " " : "", o->arg ? o->arg : "");
	printf("%s", left);
	if (n >= HELP_COLUMN) {
		putchar('\n');
		n = 0;
	}
	printf("%*s%s", HELP_COLUMN - n, "", o->text);
	if (o->def)
		printf(" [%s]", o->def);
	if (o->env)
		printf(" ($%s)", o->env);
	putchar('\n');
}

static void print_help(const struct cuv_usage *u)
{
	size_t i;

	printf("Usage: cuvette %s [OPTIONS]%s%s\n\n%s\n\n", u->command, u->operands[0] ? " " : "", u->operands,
	       u->about);
	for (i = 0; i < u->n_options; i++)
		print_option(&u->options[i]);
	print_option(&(struct cuv_option){.name = "help", .letter = 'h', .text = "show this help"});
	if (u->more)
		printf("\n%s\n", u->more);
}

static void from_environment(const struct cuv_usage *u, const struct cuv_strv *dotenv, struct cuv_values *v)
{
	size_t i;

	for (i = 0; i < u->n_options; i++) {
		const struct cuv_option *o = &u->options[i];
		const char *text;

		v->value[i] = (struct cuv_value){.text = o->def, .source = CUV_FROM_DEFAULT};
		if (!o->env)
			continue;
		/* An empty variable is one that was not set: shells and
		 * service managers often can't unset what they inherit. */
		text = cuv_dotenv_get(dotenv, o->env);
		if (text && text[0])
			v->value[i] = (struct cuv_value){.text = text, .source = CUV_FROM_DOTENV};
		text = getenv(o->env);
		if (text && text[0])
			v->value[i] = (struct cuv_value){.text = text, .source = CUV_FROM_ENVIRONMENT};
	}
}

/* getopt's two tables from ours. '+': options end at the first operand. */
static void build_tables(const struct cuv_usage *u, char (*names)[OPTION_NAME_SIZE], struct option *longs, char *shorts)
{
	size_t i, n = 0, at = 0;

	if (!u->mixed)
		shorts[at++] = '+';
	shorts[at++] = 'h';
	for (i = 0; i < u->n_options; i++) {
		const struct cuv_option *o = &u->options[i];

		if (o->letter == CUV_NO_FLAG)
			continue;
		cuv_option_typed(o->name, names[i], OPTION_NAME_SIZE);
		longs[n++] = (struct option){.name = names[i],
					     .has_arg = o->arg ? required_argument : no_argument,
					     .val = LONG_BASE + (int)i};
		if (!o->letter)
			continue;
		shorts[at++] = o->letter;
		if (o->arg)
			shorts[at++] = ':';
	}
	longs[n] = (struct option){.name = "help", .has_arg = no_argument, .val = 'h'};
	longs[n + 1] = (struct option){0};
	shorts[at] = '\0';
}

static int find_letter(const struct cuv_usage *u, int letter)
{
	size_t i;

	for (i = 0; i < u->n_options; i++)
		if (u->options[i].letter && u->options[i].letter == letter)
			return (int)i;
	return -1;
}

static enum cuv_parsed from_flags(const struct cuv_usage *u, int argc, char **argv, struct cuv_values *v)
{
	struct option longs[CUV_OPTIONS_MAX + 2];
	char names[CUV_OPTIONS_MAX][OPTION_NAME_SIZE];
	char shorts[2 * CUV_OPTIONS_MAX + 3];
	int c;

	build_tables(u, names, longs, shorts);
	optind = 0; /* anew, by the first of the letters */
	opterr = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) >= 0) {
		int i = c >= LONG_BASE ? c - LONG_BASE : find_letter(u, c);

		if (c == 'h') {
			print_help(u);
			return CUV_PARSED_HELP;
		}
		if (i < 0) {
			/* optopt tells a known option without its value. */
			bool known = optopt >= LONG_BASE || find_letter(u, optopt) >= 0;

			cuv_say("%s: %s; `cuvette %s --help` lists the options", argv[optind - 1],
				known ? "this option is used wrongly (a value is missing, or one too many)"
				      : "there is no such option",
				u->command);
			return CUV_PARSED_USAGE;
		}
		v->value[i] = (struct cuv_value){.text = u->options[i].arg ? optarg : "1", .source = CUV_FROM_FLAG};
		if (cuv_strv_add(&v->all[i], v->value[i].text) < 0) {
			cuv_say("no memory for the options");
			return CUV_PARSED_USAGE;
		}
	}
	v->operands = argv + optind;
	v->n_operands = argc - optind;
	return CUV_PARSED_GO;
}

enum cuv_parsed cuv_options_parse(const struct cuv_usage *usage, int argc, char **argv, struct cuv_values *ret)
{
	cuv_assert(usage->n_options <= CUV_OPTIONS_MAX);
	*ret = CUV_VALUES_INIT;
	if (usage->dotenv && cuv_dotenv_read(".env", &ret->kept) < 0) {
		cuv_say(".env: can't be read: %m");
		return CUV_PARSED_USAGE;
	}
	from_environment(usage, &ret->kept, ret);
	return from_flags(usage, argc, argv, ret);
}
