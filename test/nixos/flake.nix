# Stands in for the flake of nixpkgs.
{
  outputs =
    { ... }:
    let
      lib = import ./lib.nix;
      pkgs = import ./pkgs.nix { inherit lib; };
    in
    {
      lib = lib // {
        nixosSystem =
          { modules }:
          lib.evalModules {
            modules = [ ./nixos-options.nix ] ++ modules;
            specialArgs = { inherit pkgs; };
          };
      };
      legacyPackages = lib.genAttrs [
        "aarch64-linux"
        "x86_64-linux"
      ] (_: pkgs);
    };
}
