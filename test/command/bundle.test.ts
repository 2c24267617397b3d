/** The one file that is shipped does what the sources do. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bundle } from '../build.ts';
import { aProfiles, aRoot, aToplevel } from '../generation/a-generation.ts';
import { aSystemd } from './a-systemd.ts';
