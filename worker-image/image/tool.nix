# SPDX-License-Identifier: MIT
# One program of a pinned wheel: $out/bin/<name>. `pin` is an entry of tools.json.
# The wheel comes from the machine's own package index by pip (tools/image-store);
# Nix knows no address for it.
{ pin, host }:
let
  lib = import ./lib.nix { inherit host; };
  wheel = lib.fetch {
    name = pin.wheel.file;
    sha256 = pin.wheel.sha256;
    url = "wheel:${pin.wheel.file}";
  };
in
lib.unpacked {
  name = "${pin.name}-${pin.version}";
  sha256 = pin.sha256;
  command = "make store";
  args = out: [ "tool" out pin.name wheel ];
}
