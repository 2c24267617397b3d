# What a configuration says of nixpkgs' own module for systemd-boot holds here, too: that module itself
# does nothing with it while another one installs the boot loader. Older ones lack some of the options.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  cfg = config.boot.espalier;
  systemdBoot = config.boot.loader.systemd-boot;
  windows = systemdBoot.windows or { };
  inherit (config.hardware) deviceTree;

  # Programs that nixpkgs' module puts into the menu, by the name of their option there.
  programs = {
    memtest86 = {
      title = "Memtest86+";
      path = "efi/memtest86/memtest.efi";
      source = pkgs.memtest86plus.efi;
    };
    netbootxyz = {
      title = "netboot.xyz";
      path = "efi/netbootxyz/netboot.xyz.efi";
      source = pkgs.netbootxyz-efi;
    };
    edk2-uefi-shell = {
      title = "EDK2 UEFI Shell";
      path = "efi/edk2-uefi-shell/shell.efi";
      source = "${pkgs.edk2-uefi-shell}/shell.efi";
    };
  };
  isEnabled = name: systemdBoot.${name}.enable or false;
  inMenu = lib.filterAttrs (name: _: isEnabled name) programs;
  shell = programs.edk2-uefi-shell;
  # A Windows on another ESP is started by the shell.
  onEsp = inMenu // lib.optionalAttrs (windows != { }) { edk2-uefi-shell = shell; };

  entry = title: path: more: ''
    title ${title}
    efi /${path}
    ${more}'';

  # systemd-boot loads drivers from here, and from the ESP alone.
  drivers = lib.mapAttrs' (name: lib.nameValuePair "EFI/systemd/drivers/${name}") (
    systemdBoot.extraEfiDrivers or { }
  );
  unsigned = lib.filter (path: !(lib.elem path cfg.signExtraFiles)) (
    lib.mapAttrsToList (_: program: program.path) onEsp ++ lib.attrNames drivers
  );
  hasKeys = cfg.publicKeyFile != null;

  wrongWindows = lib.filter (name: builtins.match "[-_0-9A-Za-z]+" name == null) (
    lib.attrNames windows
  );
  hasDeviceTree = deviceTree.enable && deviceTree.name != null;
  installsDeviceTree = systemdBoot.installDeviceTree or hasDeviceTree;
in
{
  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = wrongWindows == [ ];
        message = ''
          boot.loader.systemd-boot.windows.${lib.head wrongWindows}: expected a name of letters, digits, `-`
          and `_`, for it is part of a file name.
        '';
      }
      {
        assertion = installsDeviceTree -> hasDeviceTree;
        message = ''
          boot.loader.systemd-boot.installDeviceTree: there is no device tree to install. Set
          hardware.deviceTree.enable = true, and hardware.deviceTree.name.
        '';
      }
    ];

    warnings = lib.optional (hasKeys && unsigned != [ ]) ''
      boot.espalier: with Secure Boot on, firmware does not start ${lib.concatStringsSep ", " unsigned}.
      boot.espalier.signExtraFiles has them signed; whoever can write to the ESP may then start all that
      they start.
    '';

    boot.espalier = {
      extraFiles = lib.mkMerge [
        (systemdBoot.extraFiles or { })
        (lib.mapAttrs' (_: program: lib.nameValuePair program.path program.source) onEsp)
        drivers
      ];

      extraEntries = lib.mkMerge [
        (systemdBoot.extraEntries or { })
        (lib.mapAttrs' (
          name: program:
          lib.nameValuePair "${name}.conf" (
            entry program.title program.path "sort-key ${systemdBoot.${name}.sortKey or "o_${name}"}\n"
          )
        ) inMenu)
        (lib.mapAttrs' (
          name: installation:
          lib.nameValuePair "windows_${name}.conf" (
            entry installation.title shell.path ''
              options -nointerrupt -nomap -noversion ${installation.efiDeviceHandle}:EFI\Microsoft\Boot\Bootmgfw.efi
              sort-key ${installation.sortKey}
            ''
          )
        ) windows)
      ];

      extraInstallCommands = systemdBoot.extraInstallCommands or "";

      # bootctl makes an entry when it installs or updates the loader. Ours is made anew when it is lost.
      extraSettings.efi-entry = lib.mkIf config.boot.loader.efi.canTouchEfiVariables (lib.mkDefault true);

      settings = lib.mapAttrs (_: lib.mkDefault) (
        {
          # Without a timeout NixOS waits in the menu; systemd-boot without one shows none.
          timeout = if config.boot.loader.timeout == null then "menu-force" else config.boot.loader.timeout;
          console-mode = systemdBoot.consoleMode;
          inherit (systemdBoot) editor;
        }
        // lib.optionalAttrs (systemdBoot.rebootForBitlocker or false) { reboot-for-bitlocker = true; }
      );
    };

    # A generation says itself which device tree it boots with.
    boot.bootspec.extensions = lib.optionalAttrs (installsDeviceTree && hasDeviceTree) {
      "org.nixos.systemd-boot".devicetree = "${deviceTree.package}/${deviceTree.name}";
    };
  };
}
