#!/usr/bin/env node
/**
 * Starts the program in the file beside this one, with Node's compile cache where the user has a safe
 * folder for it. The program cannot do that itself: Node has parsed it before its first line runs.
 */
import { compileCacheFolder } from './disk/compile-cache.ts';

const folder = compileCacheFolder(process.argv.slice(2), process.env, process.getuid?.() ?? -1);
if (folder !== undefined) process.getBuiltinModule('node:module').enableCompileCache(folder);
await import(new URL('espalier.mjs', import.meta.url).href);
