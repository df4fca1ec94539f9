# SPDX-License-Identifier: MIT
# A worker image: the root of pinned Debian packages that a box runs in, as one
# derivation whose output is fixed by its recursive hash. `pins` is the content
# of a file like python311.json, `command` what makes it where it is not there.
{ pins, host, command }:
let
  lib = import ./lib.nix { inherit host; };
  deb = d: lib.fetch {
    name = lib.storeName "${d.package}-${d.version}.deb";
    sha256 = d.sha256;
    url = "${builtins.head lib.mirrors}/${d.path}";
  };
in
lib.unpacked {
  # The same rule as tools/image_common.py's image_name.
  name = if pins.python == "-" then pins.image else "worker-image-${pins.image}";
  sha256 = pins.sha256;
  inherit command;
  args = out: [ "root" out pins.python ] ++ map deb pins.debs;
}
