# SPDX-License-Identifier: MIT
"""Of the store, only what this environment is made of can be seen."""
# limits: timeout=10
# expect: status success
# expect: stdout ~ ^held listed
# expect: stdout ~ ^held others
listed = os.listdir("/nix/store") if os.path.isdir("/nix/store") else []
tools = [n for n in listed if n.endswith((".drv", ".lock", ".deb", ".whl", "-source")) or "-uv-" in n or "-ruff-" in n or "-worker-image" in n]
check("listed", len(listed) <= 3 and not tools, listed[:10])
for path in ("/nix/var", "/nix/var/nix/db", "/nix/recipes", "/nix/store/.links", "/nix/uv-cache"):
    try:
        os.stat(path)
        hole("others", path)
    except OSError as error:
        held("others", error)
