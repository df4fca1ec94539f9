# SPDX-License-Identifier: MIT
"""Old and rare calls: other personalities, segment tables, pages of other nodes."""
# limits: timeout=10
# outside: fails
# expect: status success
# expect: stdout ~ ^held personality
import ctypes

for persona in (0x0040000, 0x0400000, 8):
    refused(f"personality {persona:#x}", 135, persona)
descriptor = (ctypes.c_uint32 * 4)(0, 0, 0xFFFFF, 0x51)
refused("modify_ldt write", 154, 1, ctypes.byref(descriptor), 16)
refused("modify_ldt read", 154, 0, ctypes.byref(descriptor), 16)
refused("migrate_pages", 256, 0, 0, 0, 0)
refused("move_pages", 279, 0, 0, 0, 0, 0, 0)
refused("create_module", 174, 0, 0)
refused("get_kernel_syms", 177, 0)
refused("query_module", 178, 0, 0, 0, 0, 0)
