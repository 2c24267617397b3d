# Stands in for the flake of nixpkgs.
{
  outputs =
    { ... }:
    let
      lib = import ./lib.nix;
    in
    {
      inherit lib;
      legacyPackages = lib.genAttrs [
        "aarch64-linux"
        "x86_64-linux"
      ] (_: import ./pkgs.nix { inherit lib; });
    };
}
