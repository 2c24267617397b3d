# The watcher and the weekly verify. Their unit files come from the package; what is added here is what
# differs from machine to machine: the paths that they see.
{
  config,
  lib,
  ...
}:

let
  cfg = config.boot.espalier;
  settings = cfg.extraSettings;
  known = import ./known-settings.nix;

  esps = [ config.boot.loader.efi.efiSysMountPoint ] ++ cfg.extraEfiSysMountPoints;

  written =
    lib.toList (settings.esp or esps)
    ++ lib.optional (xbootldr != null) xbootldr
    ++ named [ "cache-dir" ]
    ++ named (lib.filter (name: name != "esp") known.write)
    ++ lib.optional (
      settings.efi-entry or false || settings.clear-overrides or false
    ) "/sys/firmware/efi/efivars"
    # A signed copy gets its name by a rename, for which its directory is written to.
    ++ map dirOf (lib.attrValues (settings.extra-sign or { }));
  xbootldr = settings.xbootldr or cfg.xbootldrMountPoint;
  read =
    lib.filter (path: path != null) [
      cfg.publicKeyFile
      cfg.privateKeyFile
    ]
    ++ named (known.read ++ [ "systemd" ])
    ++ lib.attrNames (settings.extra-sign or { })
    ++ lib.toList (settings.profiles or [ ])
    ++ lib.attrValues (settings.sections or { })
    # Whether systemd-boot reads a partition is in here.
    ++ lib.optional (xbootldr != null) "/run/udev/data";
  named =
    names:
    lib.concatMap lib.toList (
      lib.attrValues (lib.filterAttrs (name: _: lib.elem name names) settings)
    );

  # As systemd.syntax(7) and systemd.unit(5) read a path; one that is missing is passed over.
  bind = path: ''"-${lib.replaceStrings [ "\\" "\"" "%" ] [ "\\\\" "\\\"" "%%" ] (toString path)}"'';

  confined = {
    # Nothing of the system is there but what is bound.
    RootDirectory = "/var/empty";
    TemporaryFileSystem = "/";
    MountAPIVFS = true;
    # The empty word takes the usual places back, which need not be ESPs here.
    BindPaths = [ "" ] ++ map bind (lib.unique written);
    BindReadOnlyPaths = map bind (lib.unique read);
  };
in
{
  options.boot.espalier = {
    watch.enable = lib.mkEnableOption ''
      the watcher: the ESP then follows the profiles, also when generations are deleted, and what is
      found damaged is mended'';
    verify.enable = lib.mkEnableOption "a look at every byte on the ESP once a week";
    metrics.enable = lib.mkEnableOption ''
      metrics of the ESP for node_exporter, in /var/lib/prometheus/node-exporter if that is there'';
  };

  config = lib.mkIf cfg.enable {
    systemd.packages = [ cfg.package ];

    systemd.services = {
      espalier-install.serviceConfig = confined;
      espalier-verify.serviceConfig = confined;
      espalier-metrics.serviceConfig = confined // {
        BindPaths = confined.BindPaths ++ [ (bind "/var/lib/prometheus/node-exporter") ];
      };
      espalier-watch = {
        # NixOS takes no [Install] section from packages.
        wantedBy = lib.optional cfg.watch.enable "multi-user.target";
        reloadTriggers = [ cfg.configFile ];
        serviceConfig = confined;
        # Until there are keys there is nothing to follow the profiles with.
        unitConfig = lib.mkIf (cfg.allowUnsigned && cfg.privateKeyFile != null) {
          ConditionPathExists = toString cfg.privateKeyFile;
        };
      };
    };
    systemd.timers.espalier-verify.wantedBy = lib.optional cfg.verify.enable "timers.target";
    systemd.timers.espalier-metrics.wantedBy = lib.optional cfg.metrics.enable "timers.target";
  };
}
