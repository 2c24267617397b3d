# What a system with the module comes to, as plain data. NIXPKGS_LIB may name a checkout of the real
# library, which then takes the place of the one beside this file.
configuration:
let
  checkout = builtins.getEnv "NIXPKGS_LIB";
  lib = if checkout == "" then import ./lib.nix else import (/. + checkout + "/lib");
  pkgs = import ./pkgs.nix { inherit lib; };
  evaluationWith =
    options:
    lib.evalModules {
      modules = [
        options
        ../../systemd/nixos/module.nix
        configuration
      ];
      specialArgs = { inherit pkgs; };
    };
  evaluation = evaluationWith ./nixos-options.nix;
  inherit (evaluation) config;

  # A release of nixpkgs that has of its module for systemd-boot what was there first.
  older =
    arguments@{ config, lib, pkgs, ... }:
    let
      inherit (import ./nixos-options.nix arguments) options;
      inherit (options.boot) loader;
    in
    {
      options = options // {
        boot = options.boot // {
          loader = removeAttrs loader [ "limine" "refind" ] // {
            systemd-boot = {
              inherit (loader.systemd-boot)
                configurationLimit
                consoleMode
                editor
                enable
                ;
            };
          };
        };
      };
    };

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
  older = (evaluationWith older).config.boot.espalier.configFile;
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
