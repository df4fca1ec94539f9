# SPDX-License-Identifier: MIT
# The zygote: compiled by the toolchain image, linked with its static libpython, and
# run in boxes whose root is the worker image. Its store path follows from the two
# images, the build script and the sources by content: neither a revision nor a
# machine has a say.
#
# `root` is the repository; worker-image/zygote/sources.txt lists the C sources, one a
# line, from there. Headers are found by following #include "…".
{ root, name, image, imagePins, toolchain, toolchainPins }:
let
  sourcesFile = "worker-image/zygote/sources.txt";
  # What a build of the service gives its compiler before each source.
  prelude = "lib/base/banned.h";

  matches = pattern: text: map builtins.head (builtins.filter builtins.isList (builtins.split pattern text));
  read = file:
    if builtins.pathExists (root + "/${file}") then builtins.readFile (root + "/${file}")
    else throw "${file}: there is no such file (named by ${sourcesFile} or an #include)";

  sources = matches "([^\n]+)" (read sourcesFile);
  includes = file: matches "\n[ \t]*#[ \t]*include[ \t]*\"([^\"\n]+)\"" ("\n" + read file);
  keys = map (file: { key = file; });
  files = map (entry: entry.key) (builtins.genericClosure {
    startSet = keys ([ prelude ] ++ sources);
    operator = entry: keys (includes entry.key);
  });

  # What is linked here meets what it runs with only in a box: the packages that both
  # images have must be the same.
  versions = pins: builtins.listToAttrs (map (deb: { name = deb.package; value = deb.version; }) pins.debs);
  ours = versions toolchainPins;
  theirs = versions imagePins;
  python = "libpython${imagePins.python}";
  same = builtins.all (name: !(theirs ? ${name}) || theirs.${name} == ours.${name}) (builtins.attrNames ours)
    && ours."${python}-dev" == theirs."${python}-minimal";

  lib = "${image}/usr/lib/x86_64-linux-gnu";
in
if !same then throw "the pins of worker image and toolchain differ in a package's version (run: make update-pins)"
else derivation {
  inherit name;
  system = "x86_64-linux";
  # The worker image's python through its loader: nothing of the host takes part, and
  # /lib64 does not exist in Nix's sandbox.
  builder = "${lib}/ld-linux-x86-64.so.2";
  args = [
    "--library-path"
    lib
    "${image}/usr/bin/python${imagePins.python}"
    "-BIS"
    (builtins.toFile "zygote.py" (builtins.readFile ./zygote.py))
  ];
  inherit toolchain prelude sources;
  inherit (imagePins) python;
  # Each file under its own name, so that nothing else of the tree is an input.
  names = files;
  files = map (file: builtins.toFile (baseNameOf file) (read file)) files;
  # A box has neither the toolchain nor the sources.
  allowedReferences = [ ];
}
