// Servers for tests of a project.
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { bundle } from './lib/bundle.js';
import { ended, environment, stop } from './lib/child.js';
import { freePort } from './lib/ports.js';
import { program } from './lib/program.js';
import { projectOf } from './lib/project.js';

const START_MAX_MS = 60_000;

/** Serves a project on a free port of this machine. */
export async function startServer({ worker = '.', storage = 'memory://', env = {} } = {}) {
  const file = program();
  const project = projectOf(file, worker);
  if (!project) throw new Error(`expected a worker, got ${worker}; \`npx dotdo check ${worker}\` says what is wrong`);
  const bundled = await bundle(project);
  const port = await freePort();
  const args = ['serve', project.worker, ...(bundled.file ? ['--bundle', bundled.file] : []), '--port', String(port), '--storage', storage];
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'], env: environment(env) });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (part) => { log += part; });
  let isOver = false;
  void ended(child).then(() => { isOver = true; });
  const url = `http://127.0.0.1:${port}`;
  const end = Date.now() + START_MAX_MS;
  while (!(await fetch(`${url}/ready`).then((answer) => answer.ok, () => false))) {
    if (isOver || Date.now() > end) {
      child.kill('SIGKILL');
      throw new Error(`the server did not start:\n${log}`);
    }
    await sleep(10);
  }
  return {
    url,
    fetch: (path, init) => fetch(new URL(path, url), init),
    log: () => log,
    stop: () => stop(child),
    async kill() {
      child.kill('SIGKILL');
      await ended(child);
    },
  };
}
