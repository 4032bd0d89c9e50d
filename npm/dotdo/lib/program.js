// The program: where npm has put the one for this machine.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);
const MACHINES = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64'];

/** The program for a machine such as `linux-x64`; undefined where npm has not installed it. */
export function programFor(machine) {
  try {
    const file = join(dirname(require.resolve(`@dotdo/${machine}/package.json`)), 'bin/dotdo');
    return existsSync(file) ? file : undefined;
  } catch {
    return undefined;
  }
}

/** The program for this machine. */
export function program() {
  const machine = `${process.platform}-${process.arch}`;
  const found = programFor(machine);
  if (found) return found;
  const { version } = require('../package.json');
  throw new Error(MACHINES.includes(machine)
    ? `expected the package @dotdo/${machine}, found none: npm has left out optional packages; run \`npm install @dotdo/${machine}@${version}\``
    : `expected one of ${MACHINES.join(', ')}, got ${machine}: there is no program for it; build one with cargo`);
}
