# What a system with the module comes to, as plain data. NIXPKGS_LIB may name a checkout of the real
# library, which then takes the place of the one beside this file.
configuration:
let
  checkout = builtins.getEnv "NIXPKGS_LIB";
  lib = if checkout == "" then import ./lib.nix else import (/. + checkout + "/lib");
  pkgs = import ./pkgs.nix { inherit lib; };
  evaluation = lib.evalModules {
    modules = [
      ./nixos-options.nix
      ../../systemd/nixos/module.nix
      configuration
    ];
    specialArgs = { inherit pkgs; };
  };
  inherit (evaluation) config;

  # The types of options by their whole names, in words.
  typesIn =
    prefix: group:
    builtins.foldl' (found: more: found // more) { } (
      lib.mapAttrsToList (
        name: option:
        if (option._type or null) == "option" then
          { ${prefix + name} = option.type.description; }
        else
          typesIn "${prefix}${name}." option
      ) group
    );
in
{
  inherit config;
  inherit (config.boot.espalier) package;
  options = typesIn "" evaluation.options.boot.espalier;
  system = {
    complaints = map (each: each.message) (lib.filter (each: !each.assertion) config.assertions);
    inherit (config) warnings;
    hook = config.boot.loader.external.installHook;
    inherit (config.boot.espalier) installCommand configFile;
    inherit (config.boot) bootspec;
    inherit (config.boot.loader) supportsInitrdSecrets;
    inherit (config) environment systemd;
  };
}
