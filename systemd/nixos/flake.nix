# Used with `?dir=systemd/nixos`. There is no lock file: whoever uses this has a nixpkgs already, and says
# `inputs.espalier.inputs.nixpkgs.follows = "nixpkgs"`.
{
  description = "Installs boot entries on the EFI System Partition";

  outputs =
    { nixpkgs, ... }:
    let
      forEachSystem =
        make:
        nixpkgs.lib.genAttrs [
          "aarch64-linux"
          "x86_64-linux"
        ] (system: make nixpkgs.legacyPackages.${system});
    in
    {
      nixosModules = rec {
        espalier = ./module.nix;
        default = espalier;
      };

      overlays.default = final: _: { espalier = final.callPackage ./package.nix { }; };

      packages = forEachSystem (pkgs: rec {
        espalier = pkgs.callPackage ./package.nix { };
        default = espalier;
      });
    };
}
