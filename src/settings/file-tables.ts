/** The settings that are tables of the configuration file. Flags cannot set them. */
import { dirname } from 'node:path';
import * as v from 'valibot';
import { SETTINGS as LOADER_SETTINGS } from '../loader/loader-conf.ts';
import {
  addons,
  companions,
  extraEntries,
  extraFiles,
  filesOfAddons,
  filesOfExtras,
} from './extra-settings.ts';
import { SURVEYING, setting } from './setting.ts';
import { absolute, path } from './value-schemas.ts';

const SECTIONS = {
  splash: v.optional(path),
  ucode: v.optional(path),
  sbat: v.optional(path),
  profile: v.optional(path),
};

/** Each table by its name. */
export const FILE_TABLES = {
  loader: setting({
    isTable: true,
    keys: LOADER_SETTINGS,
    schema: v.optional(
      v.record(
        v.picklist(
          LOADER_SETTINGS,
          'no setting of loader.conf, or one that follows from what is installed',
        ),
        v.union([v.string(), v.number(), v.boolean()], 'expected text, a number, true or false'),
        'expected a table',
      ),
      {},
    ),
    help: 'lines of loader.conf',
    verbs: SURVEYING,
    reach: 'nothing',
  }),
  'extra-files': setting({
    isTable: true,
    schema: extraFiles,
    help: 'files to copy to the ESP, by their paths there: a path, or a table with `source` and `sign`',
    verbs: SURVEYING,
    reach: (files) => ({ read: filesOfExtras(files) }),
  }),
  'extra-entries': setting({
    isTable: true,
    schema: extraEntries,
    help: 'entries by their names in `loader/entries`: text, or a table with `source`',
    verbs: SURVEYING,
    reach: (entries) => ({ read: filesOfExtras(entries) }),
  }),
  addons: setting({
    isTable: true,
    schema: addons,
    help: 'addons by name, built and signed here for every image: a table with `cmdline`, `initrd`, `ucode`, `dtb`, `uname`',
    verbs: SURVEYING,
    reach: (table) => ({ read: filesOfAddons(table) }),
  }),
  credentials: setting({
    isTable: true,
    schema: companions,
    help: 'credentials for every image, by their names in `loader/credentials`: the file to copy',
    verbs: SURVEYING,
    reach: (table) => ({ read: Object.values(table) }),
  }),
  extensions: setting({
    isTable: true,
    schema: companions,
    help: 'extensions of the initrd of every image, by their names in `loader/extensions`: the file to copy',
    verbs: SURVEYING,
    reach: (table) => ({ read: Object.values(table) }),
  }),
  sections: setting({
    isTable: true,
    keys: Object.keys(SECTIONS),
    schema: v.optional(
      v.strictObject(SECTIONS, ({ expected }) =>
        expected === 'never' ? 'there is no such section' : 'expected a table',
      ),
      {},
    ),
    help: 'files for sections of every image',
    verbs: SURVEYING,
    reach: (sections) => ({ read: Object.values(sections).filter((at) => at !== undefined) }),
  }),
  'extra-sign': setting({
    isTable: true,
    schema: v.optional(v.record(absolute, absolute, 'expected a table'), {}),
    help: 'EFI programs of the running system that stay signed: where the signed copy goes, by the file',
    verbs: ['install', 'plan'],
    // A signed copy gets its name by a rename, which writes to its directory.
    reach: (programs) => ({
      read: Object.keys(programs),
      write: Object.values(programs).map((copy) => dirname(copy)),
    }),
  }),
};
