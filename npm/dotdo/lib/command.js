// The command: everything is the program's, and a worker that has to be bundled is bundled first.
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { BuildError, bundle } from './bundle.js';
import { passOn } from './child.js';
import { freePort } from './ports.js';
import { program, programFor } from './program.js';
import { projectOf } from './project.js';
import { Serving } from './serve.js';

const text = { type: 'string' };
const flag = { type: 'boolean' };

/** Options of the commands that take a worker; others are errors, which the program tells. */
const OPTIONS = {
  host: text,
  port: { type: 'string', short: 'p' },
  storage: text,
  'default-class': text,
  'log-level': text,
  'allow-unauthenticated': flag,
  bundle: text,
  env: { type: 'string', short: 'e' },
  target: text,
  out: text,
  arch: text,
  program: text,
  json: flag,
  'config-only': flag,
  'no-watch': flag,
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'V' },
};

/** Commands that run until they are told to stop. */
const SERVERS = ['serve', 'dev', 'broker'];

/** The arguments of options, as they were given, but those of `left`. */
function argumentsOf(tokens, left) {
  return tokens.flatMap(({ kind, name, rawName, value, inlineValue }) => {
    if (kind !== 'option' || left.includes(name)) return [];
    if (value === undefined) return [rawName];
    return inlineValue ? [`${rawName}${rawName.startsWith('--') ? '=' : ''}${value}`] : [rawName, value];
  });
}

/** A command line: the command, its worker, and its options. */
function read(args) {
  const isNamed = args.length > 0 && !args[0].startsWith('-');
  const command = isNamed ? args[0] : 'serve';
  const { values, positionals, tokens } = parseArgs({ args: isNamed ? args.slice(1) : args, options: OPTIONS, strict: false, allowPositionals: true, tokens: true });
  // Every program that is started for this command reads the same configuration.
  if (typeof values.env === 'string') process.env.CLOUDFLARE_ENV = values.env;
  const isSimple = positionals.length < 2 && !values.help && !values.version && values.bundle === undefined;
  return { command, values, tokens, worker: positionals[0], isSimple };
}

/** The program for what is built, where it is not this machine's. */
function programOf({ target, arch = process.arch, program: named }) {
  if (named !== undefined || (target === 'binary' && process.platform !== 'linux')) return [];
  const found = programFor(`linux-${arch}`);
  return found ? ['--program', found] : [];
}

/** The arguments of a server whose port stays the same when it is started again. */
async function settled({ values: { port, host }, tokens }) {
  const wanted = port ?? process.env.DOTDO_PORT ?? process.env.PORT;
  const args = argumentsOf(tokens, ['no-watch', 'port']);
  return wanted === undefined ? args : [...args, '--port', wanted === '0' ? String(await freePort(host)) : wanted];
}

async function serve(file, asked, project) {
  const { command, values, worker } = asked;
  const isFixed = values['no-watch'] === true;
  const args = isFixed ? argumentsOf(asked.tokens, ['no-watch']) : await settled(asked);
  const serving = new Serving(file, project, { worker, args, survives: command === 'dev' });
  await (isFixed ? serving.once() : serving.follow());
}

/** Does what the command line says. */
async function perform(args) {
  const file = program();
  const asked = read(args);
  const { command, values, tokens, worker, isSimple } = asked;
  const plain = () => passOn(file, args.filter((arg) => arg !== '--no-watch'), { isServer: SERVERS.includes(command) });
  const isOurs = ['serve', 'check', 'build'].includes(command) || (command === 'dev' && !existsSync('Cargo.toml'));
  const project = isOurs && isSimple && !values['config-only'] ? projectOf(file, worker) : undefined;
  if (!project) return plain();
  if (project.settings.build?.command) process.stderr.write(`dotdo: build.command of the configuration is not run: run \`${project.settings.build.command}\` before\n`);
  if (command === 'dev') return serve(file, asked, project);
  const mode = command === 'build' ? 'production' : 'development';
  const bundled = await bundle(project, { mode, inOne: command === 'build' });
  const more = command === 'build' ? programOf(values) : [];
  if (!bundled.file) return command === 'build' ? passOn(file, [...args, ...more]) : plain();
  if (command === 'serve') return serve(file, asked, project);
  return passOn(file, [command, project.worker, '--bundle', bundled.file, ...argumentsOf(tokens, []), ...more]);
}

/** Runs the command to its end, and ends this process. */
export async function run(args) {
  try {
    await perform(args);
  } catch (error) {
    const isKnown = error instanceof BuildError || error.message.startsWith('expected');
    process.stderr.write(isKnown ? `${error.message}\n` : `${error.stack}\n`);
    process.exit(2);
  }
}
