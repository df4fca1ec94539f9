/* SPDX-License-Identifier: MIT */
/*
 * getfile: fetches files as the builder does, with the settings of its environment,
 * for tests and by hand.
 *
 *   getfile [--user] [--sha256 HEX] [--size N] [--max N] [--deadline-ms N] FOLDER URL...
 *
 * The n-th file becomes FOLDER/n. One line of JSON: {"files": [{"sha256":…,"size":…}],
 * "reports": N, "largest": the most that one report said of a single file}, or
 * {"failure": {…}}. --user: the addresses are a user's, not the index's.
 */
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/parse.h"
#include "nixenv/builder/download.h"

#include <getopt.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define FILES_MAX 64

struct seen {
	uint64_t reports;
	uint64_t largest;
};

static void on_progress(void *arg, const struct cuv_download_progress *p)
{
	struct seen *s = arg;

	s->reports++;
	if (p->file && p->file_done > s->largest)
		s->largest = p->file_done;
}

static int usage(void)
{
	fputs("usage: getfile [--user] [--sha256 HEX] [--size N] [--max N] [--deadline-ms N] FOLDER URL...\n", stderr);
	return 2;
}

static json_t *files_json(const struct cuv_download *items, size_t n)
{
	json_t *files = json_array();

	for (size_t i = 0; i < n; i++) {
		char hex[CUV_SHA256_HEX_SIZE];

		cuv_hex(items[i].sha256.bytes, sizeof(items[i].sha256.bytes), hex);
		json_array_append_new(files,
				      json_pack("{s:s, s:I}", "sha256", hex, "size", (json_int_t)items[i].size_bytes));
	}
	return files;
}

static int parse(int argc, char **argv, struct cuv_download *first, uint64_t *max, uint64_t *ms)
{
	static const struct option table[] = {
		{"user", no_argument, NULL, 'u'},
		{"sha256", required_argument, NULL, 'h'},
		{"size", required_argument, NULL, 's'},
		{"max", required_argument, NULL, 'm'},
		{"deadline-ms", required_argument, NULL, 'd'},
		{0},
	};
	int c, r = 0;

	while (r == 0 && (c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (c == 'u')
			first->source = CUV_SOURCE_USER;
		else if (c == 'h')
			r = cuv_unhex(optarg, sizeof(first->sha256.bytes), first->sha256.bytes);
		else if (c == 's')
			r = cuv_parse_u64(optarg, UINT64_MAX, &first->size_bytes);
		else
			r = c == '?' ? -1 : cuv_parse_u64(optarg, UINT64_MAX, c == 'm' ? max : ms);
		first->hash_known |= c == 'h';
	}
	return r || argc - optind < 2 || argc - optind > FILES_MAX ? -1 : 0;
}

int main(int argc, char **argv)
{
	static struct cuv_download items[FILES_MAX];
	static char paths[FILES_MAX][512];
	struct cuv_download first = {.source = CUV_SOURCE_INDEX, .what = "the file", .line = 7};
	uint64_t max = 1u << 30, ms = 60000;
	struct cuv_settings settings = {0};
	struct cuv_error err = CUV_ERROR_INIT;
	struct seen seen = {0};
	struct cuv_download_options o = {
		.settings = &settings, .cancel_fd = -1, .on_progress = on_progress, .arg = &seen};
	json_t *answer;
	size_t n = 0;
	int r;

	cuv_log_setup("getfile", CUV_LOG_INFO);
	if (sodium_init() < 0 || parse(argc, argv, &first, &max, &ms) < 0)
		return usage();
	if (cuv_settings_read(&settings) < 0)
		return 3;
	for (int i = optind + 1; i < argc; i++, n++) {
		items[n] = first;
		items[n].url = argv[i];
		(void)snprintf(paths[n], sizeof(paths[n]), "%s/%zu", argv[optind], n + 1);
		items[n].path = paths[n];
	}
	o.bytes_max = max;
	o.deadline_ns = cuv_deadline_ms(ms);
	r = cuv_download_all(items, n, &o, &err);
	if (r == 0)
		answer = json_pack("{s:o, s:I, s:I}", "files", files_json(items, n), "reports",
				   (json_int_t)seen.reports, "largest", (json_int_t)seen.largest);
	else
		answer = json_pack("{s:{s:s, s:s, s:i, s:i}}", "failure", "code", cuv_error_name(err.code), "message",
				   err.message, "line", (int)err.line, "retry_after", (int)err.retry_after_s);
	json_dumpf(answer, stdout, JSON_COMPACT);
	puts("");
	json_decref(answer);
	cuv_settings_done(&settings);
	return r < 0;
}
