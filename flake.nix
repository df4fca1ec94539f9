# SPDX-License-Identifier: MIT
# Cuvette's flake: the worker image and the pinned tools, without nixpkgs.
#
# What can't be pinned (the machine's mirrors, and the unpacker that its compiler
# made) comes in through the input `host`, a folder that `make host` writes:
#   nix build .#worker-image --override-input host path:build/host
# Without it, `host` is this flake itself, which has no mirrors.json; a store that
# already has an output gives it all the same. `make image` does it all.
{
  description = "Cuvette: reproducible runs of Python programs";

  inputs.host.follows = "";

  outputs = { self, host }:
    let
      image = ./worker-image/image;
      pins = file: builtins.fromJSON (builtins.readFile (image + "/${file}"));
      tools = builtins.listToAttrs (map
        (pin: {
          name = pin.name;
          value = import (image + "/tool.nix") { inherit pin host; };
        })
        (pins "tools.json").tools);
    in
    {
      # Only here: the pins name packages of one architecture.
      packages.x86_64-linux = tools // rec {
        worker-image-python311 = import (image + "/rootfs.nix") { pins = pins "python311.json"; inherit host; };
        worker-image = worker-image-python311;
        default = worker-image;
      };
    };
}
