# SPDX-License-Identifier: MIT
# What images and tools share. `host` is the folder that `make host` writes
# (mirrors.json, cuvette-unpack), or anything else where there is none.
{ host }:
rec {
  hasHost = builtins.pathExists (host + "/mirrors.json");
  mirrors = (builtins.fromJSON (builtins.readFile (host + "/mirrors.json"))).mirrors;

  # A store path's name takes neither ':' nor '~'; Debian's versions have both.
  storeName = builtins.replaceStrings [ ":" "~" ] [ "-" "-" ];

  # A file known by its hash. The store normally has it already (tools/image-store
  # fetched it, from several mirrors and with progress); Nix fetches it otherwise.
  fetch = { name, sha256, url }: derivation {
    inherit name url;
    system = "builtin";
    builder = "builtin:fetchurl";
    outputHashMode = "flat";
    outputHashAlgo = "sha256";
    outputHash = sha256;
    preferLocalBuild = true;
  };

  # A folder known by its hash and made by cuvette-unpack. The hash alone decides
  # the store path, so where the store has the path no unpacker is needed. Where
  # it has not and there is no host folder, Nix is asked for a kind of system that
  # no machine is, and its one line of refusal says what to do.
  unpacked = { name, sha256, args, command }: derivation (
    {
      inherit name;
      outputHashMode = "recursive";
      outputHashAlgo = "sha256";
      outputHash = sha256;
    } // (
      if hasHost then {
        system = "x86_64-linux";
        builder = "${host}/cuvette-unpack";
        args = args (builtins.placeholder "out");
      } else {
        system = "host folder (run: ${command})";
        builder = "none";
      }
    )
  );
}
