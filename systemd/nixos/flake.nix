# Used with `?dir=systemd/nixos`. There is no lock file: whoever uses this has a nixpkgs already, and says
# `inputs.espalier.inputs.nixpkgs.follows = "nixpkgs"`.
{
  description = "Installs boot entries on the EFI System Partition";

  outputs =
    { self, nixpkgs }:
    let
      package = pkgs: pkgs.callPackage ./package.nix { commit = self.rev or ""; };
      systems = [
        "aarch64-linux"
        "x86_64-linux"
      ];
    in
    {
      nixosModules = rec {
        espalier =
          { lib, pkgs, ... }:
          {
            imports = [ ./module.nix ];
            boot.espalier.package = lib.mkDefault (package pkgs);
          };
        default = espalier;
      };

      overlays.default = final: _: { espalier = package final; };

      packages = nixpkgs.lib.genAttrs systems (system: rec {
        espalier = package nixpkgs.legacyPackages.${system};
        default = espalier;
      });
    };
}
