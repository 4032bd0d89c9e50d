// What a project is. The program reads the configuration, so that there is one reader of it.
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';

/** The project of `worker`, or the one that is here: its configuration, its main module, its folder; undefined if there is none. */
export function projectOf(program, worker) {
  const args = ['check', '--json', '--config-only', ...(worker === undefined ? [] : [worker])];
  const { status, stdout } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) return undefined;
  const { config, main, settings } = JSON.parse(stdout);
  return { config, main, settings, worker: config ?? main, folder: config ? dirname(config) : process.cwd() };
}

/** What is wrong with a bundle of a project, as the program says when it loads it; undefined if nothing is. */
export function wrongWith(program, project, bundle) {
  const { status, stderr } = spawnSync(program, ['check', project.worker, '--bundle', bundle], { encoding: 'utf8' });
  return status === 0 ? undefined : stderr.trimEnd();
}
