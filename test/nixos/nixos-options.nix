# Those options of NixOS that the module sets or reads, with the types and defaults that they have there.
{ lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  of = type: mkOption { inherit type; };
  withDefault = type: default: mkOption { inherit type default; };
  names = withDefault (types.listOf types.str) [ ];
  settings = withDefault (types.attrsOf types.anything) { };
  units =
    options:
    withDefault (types.attrsOf (
      types.submodule {
        options = {
          description = withDefault types.str "";
          wantedBy = names;
          wants = names;
          partOf = names;
          before = names;
          after = names;
          unitConfig = settings;
        }
        // options;
      }
    )) { };
in
{
  options = {
    assertions = withDefault (types.listOf types.anything) [ ];

    boot = {
      bootspec.extensions = settings;
      loader = {
        efi.efiSysMountPoint = withDefault types.str "/boot";
        external = {
          enable = withDefault types.bool false;
          installHook = of types.path;
        };
        generic-extlinux-compatible.enable = withDefault types.bool false;
        grub.enable = withDefault types.bool false;
        supportsInitrdSecrets = of types.bool;
        systemd-boot = {
          configurationLimit = withDefault (types.nullOr types.int) null;
          consoleMode = withDefault types.str "keep";
          editor = withDefault types.bool true;
          enable = withDefault types.bool false;
          extraEntries = withDefault (types.attrsOf types.lines) { };
          extraFiles = withDefault (types.attrsOf types.path) { };
          rebootForBitlocker = withDefault types.bool false;
          xbootldrMountPoint = withDefault (types.nullOr types.str) null;
        };
        timeout = withDefault (types.nullOr types.int) 5;
      };
    };

    environment = {
      etc = withDefault (types.attrsOf (types.submodule { options.source = of types.path; })) { };
      systemPackages = withDefault (types.listOf types.package) [ ];
    };

    services.fwupd = {
      enable = withDefault types.bool false;
      package = withDefault types.package pkgs.fwupd;
      uefiCapsuleSettings = settings;
    };

    systemd = {
      additionalUpstreamSystemUnits = names;
      package = withDefault types.package pkgs.systemd;
      packages = withDefault (types.listOf types.package) [ ];
      services = units {
        reloadTriggers = withDefault (types.listOf types.path) [ ];
        script = withDefault types.lines "";
        serviceConfig = settings;
      };
      targets = units { };
      timers = units { timerConfig = settings; };
    };
  };
}
