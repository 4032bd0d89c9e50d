// Notices changes by looking at the times and sizes of files: it works the same on every system, on
// network file systems and in containers.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { relative } from './paths.js';

const PAUSE_MS = 250;
const FILES_MAX = 20_000;
const IGNORED = ['node_modules', 'target', 'dist'];
const VARIABLES = '.dev.vars';

function note(seen, file) {
  try {
    const { mtimeMs, size } = statSync(file);
    seen.set(file, `${mtimeMs} ${size}`);
  } catch {
    // It is gone again.
  }
}

/** The files of a folder that may be sources, and `others`. */
function look(folder, others) {
  const seen = new Map();
  const folders = [folder];
  while (folders.length && seen.size < FILES_MAX) {
    const inner = folders.pop();
    let entries = [];
    try {
      entries = readdirSync(inner, { withFileTypes: true });
    } catch {
      continue;
    }
    for (const entry of entries) {
      const file = join(inner, entry.name);
      if ((entry.name.startsWith('.') && entry.name !== VARIABLES) || IGNORED.includes(entry.name)) continue;
      if (entry.isDirectory()) folders.push(file);
      else note(seen, file);
    }
  }
  for (const file of others) note(seen, file);
  return seen;
}

function firstChange(before, now) {
  for (const file of new Set([...before.keys(), ...now.keys()])) if (before.get(file) !== now.get(file)) return file;
  return undefined;
}

/** The files of a project, and what has changed of them since they were looked at. */
export class Watch {
  #folder;
  #others = [];
  #seen;

  constructor(folder) {
    this.#folder = folder;
    this.#seen = look(folder, []);
  }

  /** Looks at modules that are elsewhere as well, except those of packages. */
  include(modules) {
    const others = modules.filter((file) => !file.includes('/node_modules/') && relative(this.#folder, file).startsWith('../'));
    for (const file of others) if (!this.#seen.has(file)) note(this.#seen, file);
    this.#others = others;
  }

  /** Waits until files have changed and then stayed the same for a moment; the first of them, or undefined after `signal`. */
  async changed(signal) {
    for (;;) {
      await sleep(PAUSE_MS, undefined, { signal }).catch(() => {});
      if (signal.aborted) return undefined;
      let now = look(this.#folder, this.#others);
      if (firstChange(this.#seen, now) === undefined) continue;
      for (;;) {
        await sleep(PAUSE_MS);
        const later = look(this.#folder, this.#others);
        if (firstChange(now, later) === undefined) break;
        now = later;
      }
      const file = firstChange(this.#seen, now);
      this.#seen = now;
      if (file !== undefined) return relative(this.#folder, file);
    }
  }
}
