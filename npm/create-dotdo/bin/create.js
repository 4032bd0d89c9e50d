#!/usr/bin/env node
// `npm create dotdo my-app`: makes a project in a new or empty folder.
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const USAGE = 'usage: npm create dotdo FOLDER';
const template = fileURLToPath(new URL('../template', import.meta.url));
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

/** Names that npm does not take in packages, as they are in a project. */
const RENAMED = { gitignore: '.gitignore' };

function fail(text) {
  process.stderr.write(`create-dotdo: ${text}\n`);
  process.exit(2);
}

const args = process.argv.slice(2);
if (args.includes('--help') || args.includes('-h')) {
  process.stdout.write(`${USAGE}\n`);
  process.exit(0);
}
if (args.length !== 1 || args[0].startsWith('-')) fail(USAGE);
const folder = resolve(args[0]);
const name = basename(folder);
if (!/^[a-z0-9][a-z0-9-]{0,57}$/.test(name)) fail(`expected a name of small letters, digits and -, got ${JSON.stringify(name)}`);
if (existsSync(folder) && readdirSync(folder).length > 0) fail(`expected a new or empty folder, got ${args[0]} with files in it; name another one`);

for (const entry of readdirSync(template, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const from = join(entry.parentPath ?? entry.path, entry.name);
  const to = join(folder, relative(template, dirname(from)), RENAMED[entry.name] ?? entry.name);
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, readFileSync(from, 'utf8').replaceAll('{name}', name).replaceAll('{version}', version));
}
process.stdout.write(`created ${name} in ${args[0]}\n\n  cd ${args[0]}\n  npm install\n  npm test\n  npx dotdo dev\n`);
