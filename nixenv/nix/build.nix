# SPDX-License-Identifier: MIT
# What the builder process calls: `lock` names a file with the lock, `image` and
# `sha256` are the worker image's name and recursive hash. The image is always in
# the store when this runs; where it is not, the refusal names the command.
{ lock, image, sha256 }:
import ./environment.nix {
  lock = builtins.fromJSON (builtins.readFile lock);
  image = derivation {
    name = image;
    system = "worker image (run: make store)";
    builder = "make-store";
    outputHashMode = "recursive";
    outputHashAlgo = "sha256";
    outputHash = sha256;
  };
}
