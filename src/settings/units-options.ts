/** The options of `units`. They are apart from its code, so that the help loads nothing else. */
import type { Option } from './option.ts';

export const UNIT_OPTIONS: readonly Option[] = [
  {
    name: 'prefix',
    value: 'DIR',
    help: 'unit files go to lib/systemd/system below it (default: /usr/local)',
  },
  {
    name: 'kernel-hooks',
    help: 'also write the hooks by which package managers tell of kernels, below /etc',
  },
  {
    name: 'etc',
    value: 'DIR',
    help: 'where --kernel-hooks writes those of kernel-install, dpkg and pacman (default: /etc)',
  },
  {
    name: 'metrics-directory',
    value: 'DIR',
    help: 'where node_exporter collects text files (default: /var/lib/prometheus/node-exporter)',
  },
  { name: 'node', value: 'FILE', help: 'Node that the services run on (default: this one)' },
  {
    name: 'config',
    value: 'FILE',
    help: 'configuration file of the services; says what they may reach (default: /etc/espalier.toml)',
  },
];
