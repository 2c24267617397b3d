# Those options of NixOS that the module sets or reads, with the types and defaults that they have in
# nixpkgs. There is none here that is not there: what a release of nixpkgs lacks, the module must do without.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  of = type: mkOption { inherit type; };
  withDefault = type: default: mkOption { inherit type default; };
  enable = withDefault types.bool false;
  names = withDefault (types.listOf types.str) [ ];
  settings = withDefault (types.attrsOf types.anything) { };
  files = withDefault (types.attrsOf types.path) { };
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
  menuProgram = name: {
    inherit enable;
    sortKey = withDefault types.str "o_${name}";
  };
  windows = types.submodule (
    { name, ... }:
    {
      options = {
        efiDeviceHandle = of types.str;
        title = withDefault types.str "Windows ${name}";
        sortKey = withDefault types.str "o_windows_${name}";
      };
    }
  );
  inherit (config.hardware) deviceTree;
in
{
  options = {
    assertions = withDefault (types.listOf types.unspecified) [ ];
    warnings = names;

    boot = {
      bootspec.extensions = settings;
      loader = {
        efi = {
          canTouchEfiVariables = enable;
          efiSysMountPoint = withDefault types.str "/boot";
        };
        external = {
          inherit enable;
          installHook = of types.path;
        };
        generic-extlinux-compatible = { inherit enable; };
        grub = { inherit enable; };
        limine = { inherit enable; };
        refind = { inherit enable; };
        supportsInitrdSecrets = of types.bool;
        systemd-boot = {
          bootCounting = {
            inherit enable;
            tries = withDefault types.ints.u32 3;
          };
          configurationLimit = withDefault (types.nullOr types.int) null;
          consoleMode = withDefault (types.enum [
            "0"
            "1"
            "2"
            "5"
            "auto"
            "max"
            "keep"
          ]) "keep";
          edk2-uefi-shell = menuProgram "edk2-uefi-shell";
          editor = withDefault types.bool true;
          inherit enable;
          extraEfiDrivers = files;
          extraEntries = withDefault (types.attrsOf types.lines) { };
          extraFiles = files;
          extraInstallCommands = withDefault types.lines "";
          graceful = enable;
          installDeviceTree = withDefault types.bool (deviceTree.enable && deviceTree.name != null);
          memtest86 = menuProgram "memtest86";
          netbootxyz = menuProgram "netbootxyz";
          rebootForBitlocker = enable;
          sortKey = withDefault types.str "nixos";
          windows = withDefault (types.attrsOf windows) { };
          xbootldrMountPoint = withDefault (types.nullOr types.str) null;
        };
        timeout = withDefault (types.nullOr types.int) 5;
      };
    };

    environment = {
      etc = withDefault (types.attrsOf (types.submodule { options.source = of types.path; })) { };
      systemPackages = withDefault (types.listOf types.package) [ ];
    };

    hardware.deviceTree = {
      inherit enable;
      name = withDefault (types.nullOr types.str) null;
      package = withDefault (types.nullOr types.path) null;
    };

    services.fwupd = {
      inherit enable;
      package = withDefault types.package pkgs.fwupd;
      uefiCapsuleSettings = settings;
    };

    systemd = {
      additionalUpstreamSystemUnits = names;
      package = withDefault types.package pkgs.systemd;
      packages = withDefault (types.listOf types.package) [ ];
      services = units {
        environment = settings;
        reloadTriggers = withDefault (types.listOf types.path) [ ];
        script = withDefault types.lines "";
        serviceConfig = settings;
      };
      targets = units { };
      timers = units { timerConfig = settings; };
    };
  };
}
