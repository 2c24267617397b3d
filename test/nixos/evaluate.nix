# What a system with the module comes to, as plain data.
configuration:
let
  lib = import ./lib.nix;
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

  # The types of options by their whole names.
  typesIn =
    prefix: group:
    builtins.foldl' (found: more: found // more) { } (
      lib.mapAttrsToList (
        name: option:
        if (option._type or null) == "option" then
          { ${prefix + name} = option.type.name; }
        else
          typesIn "${prefix}${name}." option
      ) group
    );
in
{
  inherit config;
  package =
    let
      inherit (config.boot.espalier) package;
    in
    {
      inherit (package) version installPhase meta;
      src = "${package.src}";
    };
  options = typesIn "" evaluation.options.boot.espalier;
  system = {
    complaints = map (each: each.message) (lib.filter (each: !each.assertion) config.assertions);
    hook = config.boot.loader.external.installHook;
    inherit (config.boot.espalier) installCommand configFile;
    inherit (config.boot) bootspec;
    inherit (config.boot.loader) supportsInitrdSecrets;
    inherit (config) environment systemd;
    fwupd = { inherit (config.services.fwupd.package) mesonFlags; };
  };
}
