# SPDX-License-Identifier: MIT
print(6 * 7)
