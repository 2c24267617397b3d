# fwupd starts a program of its own to update firmware; with Secure Boot that one needs our signature.
{
  config,
  lib,
  ...
}:

let
  cfg = config.boot.espalier;
  inherit (config.services.fwupd) package;
  signed = "/run/fwupd-efi";
  unsigned = "${package.fwupd-efi}/libexec/fwupd/efi";
in
{
  config =
    lib.mkIf (cfg.enable && config.services.fwupd.enable && cfg.publicKeyFile != null)
      {
        # Ours is trusted by the firmware itself, so no shim comes before it.
        services.fwupd.uefiCapsuleSettings.DisableShimForSecureBoot = true;

        systemd.services.fwupd = {
          # fwupd 2.0 and older are told by a variable where the programs are. From 2.1 on they are where
          # it was built to look: it sees ours there. Nothing is built anew for either.
          environment.FWUPD_EFIAPPDIR = signed;
          serviceConfig.BindReadOnlyPaths = [ "-${signed}:${unsigned}" ];
        };

        systemd.services.fwupd-efi = {
          description = "Sign what fwupd starts to update firmware";
          wantedBy = [ "fwupd.service" ];
          partOf = [ "fwupd.service" ];
          before = [ "fwupd.service" ];
          serviceConfig = {
            Type = "oneshot";
            RemainAfterExit = true;
            RuntimeDirectory = baseNameOf signed;
          };
          # Copies: a link to the place that fwupd sees this directory at would lead to itself.
          script = ''
            for program in ${unsigned}/fwupd*.efi; do
              copy=${signed}/$(basename "$program")
              cp "$program" "$copy"
              ${lib.getExe cfg.package} sign --config ${cfg.configFile} --output "$copy.signed" "$program"
            done
          '';
        };
      };
}
