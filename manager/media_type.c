/* SPDX-License-Identifier: MIT */
#include "manager/media_type.h"

#include "lib/base/base.h"
#include "lib/base/utf8.h"

#include <string.h>
#include <strings.h>

static const struct {
	const char *bytes;
	size_t len, at;
	const char *type;
} magic[] = {
	{"\x89PNG\r\n\x1a\n", 8, 0, "image/png"},
	{"\xff\xd8\xff", 3, 0, "image/jpeg"},
	{"GIF87a", 6, 0, "image/gif"},
	{"GIF89a", 6, 0, "image/gif"},
	{"WEBP", 4, 8, "image/webp"},
	{"WAVE", 4, 8, "audio/wav"},
	{"ftypavif", 8, 4, "image/avif"},
	{"ftyp", 4, 4, "video/mp4"},
	{"BM", 2, 0, "image/bmp"},
	{"II*\0", 4, 0, "image/tiff"},
	{"MM\0*", 4, 0, "image/tiff"},
	{"%PDF-", 5, 0, "application/pdf"},
	{"PK\x03\x04", 4, 0, "application/zip"},
	{"\x1f\x8b", 2, 0, "application/gzip"},
	{"\x28\xb5\x2f\xfd", 4, 0, "application/zstd"},
	{"\xfd"
	 "7zXZ\0",
	 6, 0, "application/x-xz"},
	{"SQLite format 3\0", 16, 0, "application/vnd.sqlite3"},
	{"PAR1", 4, 0, "application/vnd.apache.parquet"},
};

static const struct {
	const char *suffix, *type;
} texts[] = {
	{".csv", "text/csv"},	       {".tsv", "text/tab-separated-values"},
	{".json", "application/json"}, {".html", "text/html"},
	{".htm", "text/html"},	       {".svg", "image/svg+xml"},
	{".xml", "application/xml"},   {".md", "text/markdown"},
	{".css", "text/css"},	       {".js", "text/javascript"},
	{".py", "text/x-python"},      {".yaml", "application/yaml"},
	{".yml", "application/yaml"},  {".toml", "application/toml"},
};

static bool is_text(const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)data[i] < 0x20 && !strchr("\t\n\r\f\x1b", data[i]))
			return false;
	return !memchr(data, '\0', len) && cuv_utf8_valid(data, len);
}

const char *cuv_media_type(const char *name, const void *data, size_t len)
{
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; i < ARRAY_SIZE(magic); i++)
		if (len >= magic[i].at + magic[i].len &&
		    memcmp((const char *)data + magic[i].at, magic[i].bytes, magic[i].len) == 0)
			return magic[i].type;
	if (len == 0 || !is_text(data, len))
		return len ? "application/octet-stream" : "text/plain";
	for (size_t i = 0; dot && i < ARRAY_SIZE(texts); i++)
		if (strcasecmp(dot, texts[i].suffix) == 0)
			return texts[i].type;
	return "text/plain";
}
