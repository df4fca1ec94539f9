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

      # Each Python has a worker image, a toolchain and a zygote; the first one's are the
      # default, and have the short names. The same rule as in tools/image_common.py.
      images = pins "pythons.json";
      isDefault = name: name == builtins.head images;
      suffix = name: if isDefault name then "" else "-${name}";
      part = prefix: value: name: { name = "${prefix}${suffix name}"; value = value name; };
      rootfs = file: target: name: import (image + "/rootfs.nix") {
        pins = pins file;
        inherit host;
        command = "make ${target}${if isDefault name then "" else " PYTHON=${(pins "${name}.json").python}"}";
      };
      workerImage = name: rootfs "${name}.json" "image" name;
      toolchain = name: rootfs "toolchain${suffix name}.json" "toolchain" name;
      zygote = name: import (image + "/zygote.nix") {
        root = ./.;
        name = "cuvette-zygote${suffix name}";
        image = workerImage name;
        imagePins = pins "${name}.json";
        toolchain = toolchain name;
        toolchainPins = pins "toolchain${suffix name}.json";
      };
      # Where a Python's source distributions are compiled: its image and a compiler.
      buildRoots = builtins.filter (name: builtins.pathExists (image + "/build-${name}.json")) images;
      buildRoot = name: rootfs "build-${name}.json" "build-root" name;
      of = python: builtins.head (
        builtins.filter (name: (pins "${name}.json").python == python) images
        ++ [ (throw "there is no image of Python ${python}") ]
      );
    in
    {
      # The environment of a lock: a file with the JSON of an answer, or its content.
      # The same store path as the service's, by a stock `nix build`:
      #   nix build --impure --expr '(builtins.getFlake "…").lib.environment { lock = ./lock.json; }'
      lib.environment = { lock, ... }@arguments:
        let
          content = if builtins.isAttrs lock then lock else builtins.fromJSON (builtins.readFile lock);
        in
        import ./nixenv/nix/environment.nix (arguments // { lock = content; image = workerImage (of content.python); });

      # Only here: the pins name packages of one architecture.
      packages.x86_64-linux = tools // builtins.listToAttrs (
        map (name: { name = "worker-image-${name}"; value = workerImage name; }) images
        ++ map (part "toolchain" toolchain) images
        ++ map (part "zygote" zygote) images
        ++ map (name: { name = "worker-image-build-${name}"; value = buildRoot name; }) buildRoots
      ) // rec {
        worker-image = workerImage (builtins.head images);
        default = worker-image;
      };
    };
}
