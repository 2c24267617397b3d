# fwupd starts a program of its own to update firmware; with Secure Boot that one needs our signature.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  cfg = config.boot.espalier;
  signed = "/run/fwupd-efi";
  place = "-Defi_app_location=";
in
{
  config =
    lib.mkIf (cfg.enable && config.services.fwupd.enable && cfg.publicKeyFile != null)
      {
        # It looks for the program where it is built to look.
        services.fwupd.package = pkgs.fwupd.overrideAttrs (previous: {
          mesonFlags = map (
            flag: if lib.hasPrefix place flag then "${place}${signed}" else flag
          ) previous.mesonFlags;
        });
        # Ours is trusted by the firmware itself, so no shim comes before it.
        services.fwupd.uefiCapsuleSettings.DisableShimForSecureBoot = true;

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
          script = ''
            for program in ${config.services.fwupd.package.fwupd-efi}/libexec/fwupd/efi/fwupd*.efi; do
              name=${signed}/$(basename "$program")
              ln -sf "$program" "$name"
              ${lib.getExe cfg.package} sign --config ${cfg.configFile} --output "$name.signed" "$program"
            done
          '';
        };
      };
}
