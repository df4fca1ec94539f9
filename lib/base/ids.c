/* SPDX-License-Identifier: MIT */
#include "lib/base/ids.h"

#include "lib/base/buf.h"
#include "lib/base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAP_BYTES_MAX (64 * 1024) /* 340 lines are the most the kernel takes */

bool cuv_ids_map_has(const char *map, uint32_t first, uint32_t last)
{
	const char *line;

	for (line = map; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		unsigned inside, outside, count;

		if (sscanf(line, "%u %u %u", &inside, &outside, &count) != 3 || inside > first)
			continue;
		if ((uint64_t)inside + count > last)
			return true;
	}
	return false;
}

static bool are_mapped(const char *path)
{
	_cleanup_buf_ struct cuv_buf map = CUV_BUF_INIT(MAP_BYTES_MAX);

	/* Without /proc what follows fails by itself. */
	return cuv_read_file(AT_FDCWD, path, &map) < 0 ||
	       cuv_ids_map_has(cuv_buf_str(&map), CUV_MANAGER_UID, CUV_IDS_LAST);
}

bool cuv_ids_are_root(void)
{
	return geteuid() == 0 && are_mapped("/proc/self/uid_map") && are_mapped("/proc/self/gid_map");
}
