# Measured boot: the records of what Espalier installs, and systemd-pcrlock's policy made of them.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  inherit (lib) mkOption types;
  cfg = config.boot.espalier;
  measured = cfg.measuredBoot;
  systemd = config.systemd.package;
  json = pkgs.formats.json { };

  # What any of the PCRs asks for, out of a table.
  wantedBy =
    table: map (row: row.name) (lib.filter (row: lib.any (n: lib.elem n measured.pcrs) row.pcrs) table);

  separators = [
    {
      name = "500-separator.pcrlock.d/300-0x00000000.pcrlock";
      pcrs = [
        0
        1
        2
        3
        4
      ];
    }
    {
      name = "350-action-efi-application.pcrlock";
      pcrs = [ 4 ];
    }
    {
      name = "400-secureboot-separator.pcrlock.d/300-0x00000000.pcrlock";
      pcrs = [ 7 ];
    }
  ];

  lockers = [
    {
      name = "systemd-pcrlock-firmware-code.service";
      pcrs = [
        0
        2
      ];
    }
    {
      name = "systemd-pcrlock-firmware-config.service";
      pcrs = [
        1
        3
      ];
    }
    {
      name = "systemd-pcrlock-secureboot-policy.service";
      pcrs = [ 7 ];
    }
    {
      name = "systemd-pcrlock-secureboot-authority.service";
      pcrs = [ 7 ];
    }
  ];

  components = pkgs.linkFarm "pcrlock.d" (
    map (name: {
      inherit name;
      path = "${systemd}/lib/pcrlock.d/${name}";
    }) measured.upstreamStaticMeasurements
    ++ lib.mapAttrsToList (name: measurement: {
      name = "${name}.pcrlock";
      path = "${
        if measurement.json == null then
          measurement.source
        else
          json.generate "${name}.pcrlock" measurement.json
      }";
    }) measured.staticMeasurements
  );

  makePolicy = lib.escapeShellArgs (
    [
      "${systemd}/lib/systemd/systemd-pcrlock"
      "make-policy"
      "--components=${components}"
      "--components=${measured.pcrlockDirectory}"
      "--policy=${measured.pcrlockPolicy}"
      # Up to where measurements are the same at every start.
      "--location=770"
    ]
    ++ map (pcr: "--pcr=${toString pcr}") measured.pcrs
  );

  # What Secure Boot will measure is known when it has been on for the first time.
  onceSecure = lib.mkIf cfg.autoEnrollKeys.enable { ConditionSecurity = "uefi-secureboot"; };
  cryptenroll = measured.autoCryptenroll;
  stamp = "/var/lib/auto-cryptenroll/1";
in
{
  options.boot.espalier.measuredBoot = {
    enable = lib.mkEnableOption "records of what is measured at the next start, and a policy made of them";

    pcrs = mkOption {
      type = types.listOf (
        types.enum [
          0
          1
          2
          3
          4
          7
        ]
      );
      default = [ ];
      description = "The PCRs that the policy covers.";
    };

    pcrlockDirectory = mkOption {
      type = types.path;
      default = "/var/lib/pcrlock.d";
      description = "Where the records are kept.";
    };

    pcrlockPolicy = mkOption {
      type = types.path;
      default = "/var/lib/systemd/pcrlock.json";
      description = "Where the policy is kept.";
    };

    upstreamStaticMeasurements = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "Records of systemd's own to take in, beside those that the PCRs ask for.";
    };

    staticMeasurements = mkOption {
      type = types.attrsOf (
        types.submodule {
          options = {
            source = mkOption {
              type = types.nullOr types.path;
              default = null;
              description = "A file of records.";
            };
            json = mkOption {
              type = types.nullOr json.type;
              default = null;
              description = "The records themselves, instead of a file.";
            };
          };
        }
      );
      default = { };
      description = "More records, by the name of their component.";
    };

    autoCryptenroll = {
      enable = lib.mkEnableOption "having a LUKS volume opened by the policy instead of fixed PCRs";

      device = mkOption {
        type = types.nullOr types.str;
        default = null;
        description = "The LUKS2 volume, which the TPM opens today.";
      };

      autoReboot = lib.mkEnableOption "a restart as soon as the volume is enrolled";
    };
  };

  config = lib.mkIf (cfg.enable && measured.enable) {
    assertions = [
      {
        assertion = cfg.configurationLimit != null && cfg.configurationLimit >= 1 && cfg.configurationLimit <= 8;
        message = ''
          boot.espalier.configurationLimit: expected 1 to 8, for systemd-pcrlock takes no more than eight
          variants of a boot.
        '';
      }
      {
        assertion = cryptenroll.enable -> cryptenroll.device != null;
        message = "boot.espalier.measuredBoot.autoCryptenroll.device: expected a LUKS volume.";
      }
    ];

    boot.espalier = {
      measuredBoot.upstreamStaticMeasurements = wantedBy separators;
      extraSettings = lib.mkIf (lib.elem 4 measured.pcrs) {
        pcrlock-directory = toString measured.pcrlockDirectory;
      };
      extraInstallCommands = makePolicy;
    };

    # systemd-pcrlock by hand finds the same components.
    environment.etc."pcrlock.d".source = components;

    systemd.additionalUpstreamSystemUnits = [
      "systemd-pcrlock-make-policy.service"
    ]
    ++ map (row: row.name) lockers;
    systemd.targets.sysinit.wants = wantedBy lockers;

    systemd.services = {
      systemd-pcrlock-secureboot-policy.unitConfig = onceSecure;
      systemd-pcrlock-secureboot-authority.unitConfig = onceSecure;

      systemd-pcrlock-make-policy = {
        wantedBy = [ "sysinit.target" ];
        # It writes a credential to the ESP.
        after = [ "local-fs.target" ];
        serviceConfig.ExecStart = [
          "" # systemd's own
          makePolicy
        ];
      };

      auto-cryptenroll = lib.mkIf cryptenroll.enable {
        description = "Have the policy of systemd-pcrlock open a LUKS volume";
        wantedBy = [ "multi-user.target" ];
        # From then on systemd-pcrlock renews the policy where it is.
        unitConfig = lib.mkMerge [
          {
            ConditionPathExists = [ "!${stamp}" ];
            SuccessAction = lib.mkIf cryptenroll.autoReboot "reboot";
          }
          onceSecure
        ];
        serviceConfig = {
          Type = "oneshot";
          # What remains never succeeds, and there would be no restart.
          RemainAfterExit = !cryptenroll.autoReboot;
          StateDirectory = "auto-cryptenroll";
        };
        # The records come first, and the policy made of them.
        script = ''
          ${config.boot.loader.external.installHook}
          ${systemd}/bin/systemd-cryptenroll --wipe-slot=tpm2 --tpm2-device=auto \
            --unlock-tpm2-device=auto --tpm2-pcrlock=${lib.escapeShellArg measured.pcrlockPolicy} \
            ${lib.escapeShellArg cryptenroll.device}
          touch ${stamp}
        '';
      };
    };
  };
}
