# boot.espalier: the boot loader hook of a NixOS system, and its settings. The options are those of
# boot.lanzaboote, so that a configuration moves by renaming one attribute; what is beside them has a
# name that lanzaboote does not have.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  inherit (lib) mkOption types;
  cfg = config.boot.espalier;
  systemdBoot = config.boot.loader.systemd-boot;

  toml = pkgs.formats.toml { };
  loaderConf = pkgs.formats.keyValue {
    mkKeyValue = lib.generators.mkKeyValueDefault { } " ";
  };

  keyFile =
    name:
    mkOption {
      type = types.nullOr types.path;
      default = if cfg.pkiBundle == null then null else "${cfg.pkiBundle}/keys/db/${name}";
      defaultText = lib.literalExpression ''"''${config.boot.espalier.pkiBundle}/keys/db/${name}"'';
      description = ''
        What images and the boot loader are signed with: PEM, of an RSA key of 2048, 3072 or 4096 bits.
      '';
    };
  isElsewhere = cfg.signingCommand != null;
  hasKeys = cfg.publicKeyFile != null && (cfg.privateKeyFile != null || isElsewhere);

  # A path is handed on as it is written: interpolated, a key would be copied to the store.
  privateKey = toString cfg.privateKeyFile;
  signing = {
    certificate = toString cfg.publicKeyFile;
  }
  // (if isElsewhere then { signing-command = cfg.signingCommand; } else { private-key = privateKey; });
  unsigned = {
    allow-unsigned = true;
  };

  settingsWith =
    trust:
    lib.recursiveUpdate (
      {
        esp = lib.unique (
          [ config.boot.loader.efi.efiSysMountPoint ] ++ cfg.extraEfiSysMountPoints
        );
        limit = if cfg.configurationLimit == null then 0 else cfg.configurationLimit;
        boot-counting = cfg.bootCounting.initialTries;
        system = pkgs.stdenv.hostPlatform.system;
        loader-conf = "${loaderConf.generate "loader.conf" (
          lib.filterAttrs (_: value: value != null) cfg.settings
        )}";
        keep-default = (cfg.settings.default or null) != null;
        extra-entries = cfg.extraEntries;
        extra-files = lib.mapAttrs (name: source: {
          source = "${source}";
          sign = builtins.elem name cfg.signExtraFiles;
        }) cfg.extraFiles;
      }
      // lib.optionalAttrs (cfg.xbootldrMountPoint != null) { xbootldr = cfg.xbootldrMountPoint; }
      // trust
    ) cfg.extraSettings;
  unknownSigned = builtins.filter (name: !(cfg.extraFiles ? ${name})) cfg.signExtraFiles;
  fileWith = trust: toml.generate "espalier.toml" (settingsWith trust);

  install = "${lib.getExe cfg.package} install${lib.optionalString (cfg.logLevel == "debug") " -vv"}";

  afterwards = pkgs.writeShellScript "espalier-after-install" ''
    set -eu
    ${cfg.extraInstallCommands}
  '';

  hook = pkgs.writeShellScript "espalier-hook" (
    ''
      set -u
      # Node remembers the compiled program here, which saves a seventh of an idle run.
      export NODE_COMPILE_CACHE=/var/cache/espalier/node
      if [ "''${NIXOS_INSTALL_BOOTLOADER-}" = 1 ]; then set -- --force "$@"; fi
      config=${cfg.configFile}
    ''
    + lib.optionalString (hasKeys && cfg.allowUnsigned && !isElsewhere) ''
      # There are no keys before the first boot.
      if [ ! -e ${lib.escapeShellArg privateKey} ]; then config=${fileWith unsigned}; fi
    ''
    + ''
      ${install} --config "$config" "$@"
      status=$?
      # Done with warnings: the system boots, and the lines above say what needs a look.
      if [ "$status" = 5 ]; then status=0; fi
    ''
    + lib.optionalString (cfg.extraInstallCommands != "") ''
      if [ "$status" = 0 ]; then
        ${afterwards} "$@" || {
          status=$?
          echo "espalier: the boot entries are installed; what was to follow them failed" >&2
        }
      fi
    ''
    + ''
      exit "$status"
    ''
  );

  wrongEntries = builtins.filter (name: builtins.match "[^./][^/]*\\.conf" name == null) (
    lib.attrNames cfg.extraEntries
  );
  wrongFiles = builtins.filter (
    path: lib.hasPrefix "/" path || lib.elem ".." (lib.splitString "/" path)
  ) (lib.attrNames cfg.extraFiles);

  unknownSettings = lib.filter (name: !(lib.elem name (import ./known-settings.nix).names)) (
    lib.attrNames cfg.extraSettings
  );

  otherLoaders = lib.filter (name: config.boot.loader.${name}.enable or false) [
    "generic-extlinux-compatible"
    "grub"
    "limine"
    "refind"
    "systemd-boot"
  ];
in
{
  imports = [
    ./fwupd.nix
    ./keys.nix
    ./measured-boot.nix
    ./services.nix
    ./systemd-boot.nix
  ];

  options.boot.espalier = {
    enable = lib.mkEnableOption "Espalier, which installs boot entries on the EFI System Partition";

    package = mkOption {
      type = types.package;
      default = pkgs.callPackage ./package.nix { };
      defaultText = lib.literalExpression "pkgs.callPackage ./package.nix { }";
      description = "The package of Espalier.";
    };

    configurationLimit = mkOption {
      type = types.nullOr types.int;
      default = systemdBoot.configurationLimit;
      defaultText = lib.literalExpression "config.boot.loader.systemd-boot.configurationLimit";
      example = 10;
      description = ''
        How many of the newest generations of each profile to keep on the ESP; `null` or 0 for all. The
        running system and the one to boot next stay whatever this is.
      '';
    };

    pkiBundle = mkOption {
      type = types.nullOr types.externalPath;
      default = null;
      example = "/var/lib/sbctl";
      description = "Directory of the keys PK, KEK and db, as sbctl has it.";
    };

    publicKeyFile = keyFile "db.pem";
    privateKeyFile =
      keyFile "db.key" // lib.optionalAttrs isElsewhere { default = null; };

    signingCommand = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = lib.literalExpression ''"''${pkgs.my-hsm}/bin/sign-digest"'';
      description = ''
        What signs instead of {option}`boot.espalier.privateKeyFile`, with a key that is not on this
        machine or cannot be read: as `--signing-command` has it, words apart by spaces. The services
        see the store and what `espalier.toml` names; bind what else it needs.
      '';
    };

    allowUnsigned = lib.mkEnableOption "" // {
      default = cfg.autoGenerateKeys.enable;
      defaultText = lib.literalExpression "config.boot.espalier.autoGenerateKeys.enable";
      description = ''
        Whether to install without signatures where there are no keys, or none yet. Once there are
        keys, everything is signed.
      '';
    };

    settings = mkOption {
      type = types.submodule { freeformType = loaderConf.type; };
      default = { };
      example = lib.literalExpression ''
        {
          timeout = 3;
          editor = null; # no such line
          default = "@saved"; # instead of the system that was installed last
        }
      '';
      description = ''
        Lines of systemd-boot's loader.conf, see {manpage}`loader.conf(5)`. Without a `default` the entry
        of the system that was installed last is the one that boots next.
      '';
    };

    extraSettings = mkOption {
      type = types.submodule { freeformType = toml.type; };
      default = { };
      example = {
        format = "type1";
        reserve = "64M";
        adopt = true;
      };
      description = ''
        Other settings of Espalier, by their names in {file}`/etc/espalier.toml`. They win over those that
        follow from the options here.
      '';
    };

    extraEfiSysMountPoints = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = ''
        ESPs beside that of {option}`boot.loader.efi.efiSysMountPoint`, each of which gets everything.
      '';
    };

    xbootldrMountPoint = mkOption {
      type = types.nullOr types.str;
      default = config.boot.loader.systemd-boot.xbootldrMountPoint or null;
      defaultText = lib.literalExpression "config.boot.loader.systemd-boot.xbootldrMountPoint";
      example = "/boot";
      description = ''
        Where the XBOOTLDR partition is mounted, if there is one: it then has the entries and kernels, and
        the ESP the boot loader. What is on the ESP moves. For the way back, name the partition once in
        `extraSettings.former-xbootldr`.
      '';
    };

    sortKey = mkOption {
      type = types.str;
      # Entries that were installed before a move from lanzaboote stay in their place.
      default = if (systemdBoot.sortKey or "nixos") != "nixos" then systemdBoot.sortKey else "lanza";
      defaultText = lib.literalMD "`boot.loader.systemd-boot.sortKey` where it is set, else `lanza`";
      description = "What entries are sorted by among those of other systems.";
    };

    extraEntries = mkOption {
      type = types.attrsOf types.lines;
      default = { };
      example = {
        "memtest86.conf" = ''
          title Memory test
          efi /EFI/memtest86/memtest.efi
        '';
      };
      description = ''
        Entries beside those of the generations, by their names in {file}`loader/entries`. None of them
        boots unless it is chosen. Those of {option}`boot.loader.systemd-boot` are among them.
      '';
    };

    extraFiles = mkOption {
      type = types.attrsOf types.path;
      default = { };
      example = lib.literalExpression ''
        { "EFI/memtest86/memtest.efi" = "''${pkgs.memtest86plus.efi}"; }
      '';
      description = ''
        Files to copy to the ESP, by their paths there. What somebody else has put there is left alone.
        Those of {option}`boot.loader.systemd-boot` are among them.
      '';
    };

    signExtraFiles = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "EFI/memtest86/memtest.efi" ];
      description = ''
        Which programs among {option}`boot.espalier.extraFiles` to sign, by their paths: with Secure Boot
        on, firmware starts no others. Each one becomes trusted as the kernel is. A shell that writes to
        memory, iPXE or GRUB, once signed, starts anything for whoever can write to the ESP.
      '';
    };

    bootCounting.initialTries = mkOption {
      type = types.ints.u32;
      default = if systemdBoot.bootCounting.enable or false then systemdBoot.bootCounting.tries else 0;
      defaultText = lib.literalMD "`boot.loader.systemd-boot.bootCounting.tries` where enabled, else 0";
      description = "How often a new entry is tried before it counts as bad; 0 for no counting.";
    };

    logLevel = mkOption {
      type = types.enum [
        "info"
        "debug"
      ];
      default = "info";
      description = "How much the hook says.";
    };

    extraInstallCommands = mkOption {
      type = types.lines;
      default = "";
      description = ''
        Shell commands to run when the entries are installed. The first one that fails ends them, and
        its status is that of the hook. Those of {option}`boot.loader.systemd-boot` are among them.
      '';
    };

    installCommand = mkOption {
      type = types.str;
      readOnly = true;
      default = "${install} --config ${cfg.configFile}";
      defaultText = lib.literalMD "`espalier install` with the configuration file";
      description = ''
        The command that installs, for building images: add `--esp`, `--allow-directory` and
        `--profiles`, which win over the configuration file.
      '';
    };

    configFile = mkOption {
      type = types.path;
      readOnly = true;
      default = fileWith (if hasKeys then signing else unsigned);
      defaultText = lib.literalMD "made of the other options";
      description = "The configuration file that the hook reads; {file}`/etc/espalier.toml` is the same.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = unknownSigned == [ ];
        message = ''
          boot.espalier.signExtraFiles names ${lib.head unknownSigned}, and boot.espalier.extraFiles has no
          such file. Name the paths as they are there.
        '';
      }
      {
        assertion = wrongEntries == [ ];
        message = ''
          boot.espalier.extraEntries."${lib.head wrongEntries}": expected a file name that ends in .conf.
        '';
      }
      {
        assertion = wrongFiles == [ ];
        message = ''
          boot.espalier.extraFiles."${lib.head wrongFiles}": expected a path on the ESP that is relative and
          has no `..`.
        '';
      }
      {
        assertion = unknownSettings == [ ];
        message = ''
          boot.espalier.extraSettings.${lib.head unknownSettings}: there is no such setting. Their names
          are those of espalier.toml.
        '';
      }
      {
        assertion = otherLoaders == [ ];
        message = ''
          boot.espalier is not alone: boot.loader.${lib.head otherLoaders} is enabled, too. Two boot
          loaders would remove each other's files; set boot.loader.${lib.head otherLoaders}.enable = false.
        '';
      }
      {
        assertion = !(config.boot.lanzaboote.enable or false);
        message = ''
          boot.espalier is not alone: boot.lanzaboote is enabled, too. Its options have the same names
          here; rename the attribute, and leave boot.lanzaboote out.
        '';
      }
      {
        assertion = cfg.xbootldrMountPoint == null || cfg.extraEfiSysMountPoints == [ ];
        message = ''
          boot.espalier.xbootldrMountPoint: an XBOOTLDR partition goes with one ESP. Leave
          boot.espalier.extraEfiSysMountPoints out.
        '';
      }
      {
        assertion = cfg.xbootldrMountPoint != config.boot.loader.efi.efiSysMountPoint;
        message = ''
          boot.espalier.xbootldrMountPoint is the mount point of the ESP, too. Mount the ESP somewhere
          else, and set boot.loader.efi.efiSysMountPoint = "/efi".
        '';
      }
      {
        assertion = (cfg.publicKeyFile == null) == (cfg.privateKeyFile == null && !isElsewhere);
        message = ''
          boot.espalier.publicKeyFile and boot.espalier.privateKeyFile, or signingCommand instead of it:
          give both, or neither.
        '';
      }
      {
        assertion = cfg.privateKeyFile == null || !isElsewhere;
        message = "boot.espalier.privateKeyFile and boot.espalier.signingCommand: give one of them.";
      }
      {
        assertion =
          cfg.publicKeyFile != null || cfg.privateKeyFile != null || isElsewhere || cfg.allowUnsigned;
        message = ''
          boot.espalier has nothing to sign with. Set boot.espalier.pkiBundle, or on a machine without
          Secure Boot boot.espalier.allowUnsigned = true.
        '';
      }
      {
        assertion =
          lib.hasPrefix "${builtins.storeDir}/" privateKey
          -> cfg.extraSettings.allow-insecure-key or false;
        message = ''
          boot.espalier.privateKeyFile is in the store, where everyone may read it. Name a file outside,
          or for a test set boot.espalier.extraSettings.allow-insecure-key = true.
        '';
      }
    ];

    boot.loader.external = {
      enable = true;
      installHook = hook;
    };
    boot.loader.supportsInitrdSecrets = true;
    boot.bootspec.extensions."org.nix-community.lanzaboote".sort_key = cfg.sortKey;

    environment.etc."espalier.toml".source = cfg.configFile;
    environment.systemPackages = [ cfg.package ];
  };
}
