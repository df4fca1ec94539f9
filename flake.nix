# SPDX-License-Identifier: MIT
# Cuvette's flake: the images, the pinned tools and the zygote, without nixpkgs.
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
      rootfs = file: import (image + "/rootfs.nix") { pins = pins file; inherit host; };
      workerImage = rootfs "python311.json";
      toolchain = rootfs "toolchain.json";
    in
    {
      # The environment of a lock: a file with the JSON of an answer, or its content.
      # The same store path as the service's, by a stock `nix build`:
      #   nix build --impure --expr '(builtins.getFlake "…").lib.environment { lock = ./lock.json; }'
      lib.environment = { lock, ... }@arguments: import ./nixenv/nix/environment.nix (arguments // {
        lock = if builtins.isAttrs lock then lock else builtins.fromJSON (builtins.readFile lock);
        image = workerImage;
      });

      # Only here: the pins name packages of one architecture.
      packages.x86_64-linux = tools // rec {
        worker-image-python311 = workerImage;
        worker-image = worker-image-python311;
        default = worker-image;
        inherit toolchain;
        zygote = import (image + "/zygote.nix") {
          root = ./.;
          image = workerImage;
          imagePins = pins "python311.json";
          inherit toolchain;
          toolchainPins = pins "toolchain.json";
        };
      };
    };
}
