/**
 * Checks the space of the ESP when entries are on an XBOOTLDR partition. Pure; all sizes in bytes.
 */
import { LOADER_CONF, volumesOf } from '../esp/layout.ts';
import { allocated, directoryGrowth } from '../esp/space.ts';
import { isSector } from '../loader/loader-conf.ts';
import { CONF_CLUSTERS } from './budget.ts';
import type { PlanInput } from './plan-input.ts';
import type { Refusal, SpaceForecast } from './step.ts';

type Input = Pick<PlanInput, 'inventory' | 'loaders' | 'unusedLoaders' | 'reserve' | 'scope'>;

/**
 * Returns what boot loader and loader.conf take of the ESP; undefined when it has the entries too.
 */
export function forecastEsp(input: Input): SpaceForecast | undefined {
  const { inventory, reserve, scope, unusedLoaders = [] } = input;
  const { espSpace, loaderConf, directories } = inventory;
  if (!espSpace) return undefined;
  const { clusterSize, total } = espSpace;
  const loaders = scope === 'gc' ? [] : input.loaders;
  const size = (bytes: number) => allocated(bytes, clusterSize);
  const sum = (sizes: readonly number[]) => sizes.reduce((all, bytes) => all + bytes, 0);
  const conf =
    scope === 'gc' || (loaderConf && isSector(loaderConf)) ? 0 : CONF_CLUSTERS * clusterSize;
  const names = directoryGrowth(
    loaders.map(({ path }) => path),
    directories,
    clusterSize,
  );
  const swept = inventory.temporaries.filter(
    ({ twin, path }) => twin === undefined && volumesOf(path)[0] === 'esp',
  );
  const free = espSpace.free + sum(swept.map((file) => size(file.size)));
  const more = loaders.map((copy) => Math.max(0, size(copy.size) - size(copy.replaces)));
  const growth = names + sum(more) + (loaderConf ? 0 : conf);
  return {
    total,
    free,
    reserve,
    peak: names + sum(loaders.map((copy) => size(copy.size))) + conf,
    after: free - growth + sum(unusedLoaders.map((file) => size(file.size))),
  };
}

/** Returns a refusal when the space is short. A plan that needs no extra space is never refused. */
export function refuseEsp({ free, reserve, peak, after }: SpaceForecast): Refusal | undefined {
  const least = after < free ? after - reserve : after;
  if (peak <= free && least >= 0) return undefined;
  const needed = Math.max(peak, free - after);
  return {
    kind: 'refusal',
    needed,
    available: Math.max(0, free - reserve),
    message: `the boot loader and ${LOADER_CONF} need ${needed} bytes on the ESP itself; ${free} are free there, ${reserve} of them kept in reserve`,
    hint: 'free space on the ESP: remove files of others, or lower --reserve; what is ours there goes only once XBOOTLDR has everything',
  };
}
