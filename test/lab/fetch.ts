/** `node test/lab/fetch.ts`: brings everything that tests with real parts want, and says what it could not bring. */
import { ensureBootTools } from './boot-tools.ts';
import { ensureDebianRoots } from './debian-root.ts';
import { ensureKernelInstall } from './kernel-install.ts';
import { ensureLuksTools } from './luks.ts';
import { ensureMeasuring } from './measuring.ts';
import { ensureNewerTools } from './newer-tools.ts';
import { ensureParts } from './parts.ts';
import { ensurePolicyTools } from './policy-tools.ts';
import { ensureSbsign } from './sbsign.ts';
import { ensureSystemdRoot } from './systemd-root.ts';
import { ensureSysupdate } from './sysupdate.ts';
import { ensureToolRoot } from './tool-root.ts';
import { ensureTools, installCommand } from './tools.ts';
import { ensureUpgradeRoot } from './upgrade-root.ts';
import { ensureVerityInitrd } from './verity-initrd.ts';

try {
  const say = (what: string): void => console.log(`fetching ${what}`);
  const parts = ensureParts(say);
  ensureSystemdRoot(say);
  ensureToolRoot(say);
  ensureMeasuring(say);
  ensureBootTools(say);
  ensureSbsign(say);
  ensureNewerTools(say);
  ensurePolicyTools(say);
  ensureLuksTools(say);
  ensureSysupdate(say);
  ensureKernelInstall(say);
  ensureDebianRoots(say);
  ensureUpgradeRoot(say);
  ensureVerityInitrd(parts, say);
} catch (error) {
  console.error(
    `the real parts were not fetched: ${error instanceof Error ? error.message : error}`,
  );
  process.exitCode = 1;
}
const missing = ensureTools();
if (missing.length > 0) {
  console.error(`missing Debian packages; install them with:\n  ${installCommand(missing)}`);
  process.exitCode = 1;
}
