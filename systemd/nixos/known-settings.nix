# Written by `node tools/nixos-settings.ts` from the table of settings: change that one.
{
  # Every setting of espalier.toml.
  names = [
    "esp"
    "xbootldr"
    "former-xbootldr"
    "profiles"
    "systemd"
    "stub"
    "format"
    "certificate"
    "private-key"
    "signing-command"
    "signing-batch"
    "signatures"
    "allow-unsigned"
    "allow-insecure-key"
    "allow-directory"
    "limit"
    "boot-counting"
    "reserve"
    "loader-conf"
    "keep-default"
    "adopt"
    "system"
    "entry-token"
    "booted"
    "cache-dir"
    "pins"
    "pcrlock-directory"
    "lock-timeout"
    "disk"
    "require-verity"
    "force"
    "loader"
    "extra-files"
    "extra-entries"
    "sections"
    "extra-sign"
  ];
  # Settings whose values are paths that a confined service reads, or writes.
  read = [
    "stub"
    "certificate"
    "private-key"
    "signatures"
    "loader-conf"
    "booted"
    "pins"
    "disk"
  ];
  write = [
    "esp"
    "former-xbootldr"
    "pcrlock-directory"
  ];
}
