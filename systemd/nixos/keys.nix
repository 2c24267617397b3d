# The keys of Secure Boot: made where there are none, and put on the ESP for systemd-boot to enrol.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  cfg = config.boot.espalier;
  enrol = cfg.autoEnrollKeys;
  espalier = lib.getExe cfg.package;
  bundle = lib.escapeShellArg cfg.pkiBundle;
in
{
  options.boot.espalier = {
    autoGenerateKeys.enable = lib.mkEnableOption "making the keys of Secure Boot where there are none";

    autoEnrollKeys = {
      enable = lib.mkEnableOption "having the keys of Secure Boot enrolled by systemd-boot";

      autoReboot = lib.mkEnableOption "a restart as soon as the keys are ready to be enrolled";

      includeMicrosoftKeys = lib.mkEnableOption "" // {
        default = true;
        description = "Whether to go on trusting what Microsoft signs, such as the option ROMs of cards.";
      };

      microsoftCertificates = lib.mkOption {
        type = lib.types.listOf lib.types.path;
        default = [ "${pkgs.sbctl.src}/certs/microsoft" ];
        defaultText = lib.literalExpression ''[ "''${pkgs.sbctl.src}/certs/microsoft" ]'';
        description = "The certificates of Microsoft for KEK and db: files, or directories of them.";
      };

      allowBrickingMyMachine = lib.mkEnableOption "" // {
        description = ''
          Whether to enrol keys that do not cover option ROMs. A machine that needs one may then show no
          picture any more, nor start.
        '';
      };

      includeFirmwareBuiltinKeys = lib.mkEnableOption "enrolling what the firmware brings; not supported";
      includeChecksumsFromTPM = lib.mkEnableOption "enrolling what the TPM has seen; not supported";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = cfg.autoGenerateKeys.enable || enrol.enable -> cfg.pkiBundle != null;
        message = "boot.espalier.pkiBundle: expected the directory of the keys, for they are to be made or enrolled.";
      }
      {
        assertion = enrol.includeMicrosoftKeys || enrol.allowBrickingMyMachine;
        message = ''
          boot.espalier.autoEnrollKeys: without Microsoft's certificates a machine may show no picture any
          more, nor start. Set includeMicrosoftKeys = true, or allowBrickingMyMachine = true.
        '';
      }
      {
        assertion = !enrol.includeFirmwareBuiltinKeys && !enrol.includeChecksumsFromTPM;
        message = ''
          boot.espalier.autoEnrollKeys: Espalier enrols neither what the firmware brings nor what the TPM
          has seen. Leave includeFirmwareBuiltinKeys and includeChecksumsFromTPM out, and enrol with
          another tool.
        '';
      }
    ];

    boot.espalier.settings = lib.mkIf enrol.enable { secure-boot-enroll = lib.mkDefault "force"; };

    systemd.services.generate-sb-keys = lib.mkIf cfg.autoGenerateKeys.enable {
      description = "Make the keys of Secure Boot";
      wantedBy = [ "multi-user.target" ];
      before = [ "espalier-watch.service" ];
      # The bundle itself may be a mount point that is always there.
      unitConfig.ConditionPathExists = "!${cfg.pkiBundle}/keys";
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
      };
      script = "exec ${espalier} keys generate ${bundle}";
    };

    systemd.services.prepare-sb-auto-enroll = lib.mkIf enrol.enable {
      description = "Have the keys of Secure Boot enrolled at the next start";
      wantedBy = [ "multi-user.target" ];
      after = [ "generate-sb-keys.service" ];
      unitConfig = {
        ConditionPathExists =
          map (name: "!${config.boot.loader.efi.efiSysMountPoint}/loader/keys/auto/${name}.auth")
            [
              "PK"
              "KEK"
              "db"
            ];
        SuccessAction = lib.mkIf enrol.autoReboot "reboot";
      };
      serviceConfig = {
        Type = "oneshot";
        # What remains never succeeds, and there would be no restart.
        RemainAfterExit = !enrol.autoReboot;
      };
      # Signed first: keys that lie on the ESP are enrolled at the next start, whatever comes between.
      # Warnings (5) end the last command as a failure, because they tell what would not start then.
      script = ''
        ${config.boot.loader.external.installHook}
        exec ${espalier} keys enroll --config ${cfg.configFile} ${
          lib.concatStringsSep " " (
            lib.optionals enrol.includeMicrosoftKeys (
              map (path: "--microsoft ${lib.escapeShellArg path}") enrol.microsoftCertificates
            )
            ++ lib.optional enrol.allowBrickingMyMachine "--yes-this-might-brick-my-machine"
            ++ [ bundle ]
          )
        }
      '';
    };
  };
}
