# SPDX-License-Identifier: MIT
# From a lock to an environment: one fixed-output derivation per wheel, one
# installation per wheel, and one tree of links that makes them a virtual
# environment.
#
# `lock` is data (the canonical JSON, read by fromJSON), never spliced into an
# expression. Only what stands in `canonical` below decides store paths: the
# address of a wheel does not. `image` is the derivation of the worker image; as
# its output is fixed, how it was made does not matter either. nixenv/storepath.c
# computes the same paths in C; tests/nixenv/storepath holds the two together.
{ lock
, image
  # package -> address to fetch its wheel from when the store lacks it; a lock as the
  # service keeps it has one, the canonical form has none
, url ? package: package.url or "wheel:${package.file}"
}:
assert lock.format == 1;
assert lock.platform == "x86_64-linux";
let
  lib = "${image}/usr/lib/x86_64-linux-gnu";
  interpreter = "python${lock.python}";
  storeName = builtins.replaceStrings [ "!" ] [ "_" ];

  canonical = {
    inherit (lock) format platform python;
    packages = map (p: { inherit (p) file name sha256 version; }) lock.packages;
  };

  wheel = package: derivation {
    name = storeName package.file;
    url = url package;
    system = "builtin";
    builder = "builtin:fetchurl";
    outputHashMode = "flat";
    outputHashAlgo = "sha256";
    outputHash = package.sha256;
    preferLocalBuild = true;
  };

  # Runs a script with the image's python through the image's loader: nothing of
  # the host takes part, and /lib64 does not exist in Nix's sandbox.
  run = script: attributes: derivation ({
    system = "x86_64-linux";
    builder = "${lib}/ld-linux-x86-64.so.2";
    args = [
      "--library-path"
      lib
      "${image}/usr/bin/${interpreter}"
      "-BPSs"
      "-Wignore"
      (builtins.toFile script (builtins.readFile (./. + "/${script}")))
    ];
    # The order of sets would show in the byte code.
    PYTHONHASHSEED = "0";
  } // attributes);

  install = package: run "install.py" {
    name = storeName "${package.name}-${package.version}";
    package = package.name;
    wheel = wheel package;
  };
in
run "farm.py" {
  name = "cuvette-environment";
  inherit image;
  lock = builtins.toFile "lock.json" (builtins.toJSON canonical);
  parts = map install lock.packages;
}
