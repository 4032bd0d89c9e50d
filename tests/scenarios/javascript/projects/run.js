#!/usr/bin/env node
// Has the conversations of projects with a server, and writes what they tell into a file, as JSON:
//
//   node run.js --packages FOLDER --folder FOLDER --program FILE --out FILE [PROJECT]…
//
// Each folder here with a conversation.js is a project: its sources, its wrangler.jsonc, and what clients
// do with it. `--packages` has the installed packages of package.json, `--folder` is an empty one. All
// projects are bundled as the npm package does it, by the program (`--program`) and npm/dotdo of this
// repository. `record` runs the same bundles on workerd. Without a program, but with a `--port`, the bundle
// of one project is written, bundle.js, and beside it config.capnp, with which workerd serves it there.
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const here = dirname(fileURLToPath(import.meta.url));
/** How long clients wait for one thing, and a whole conversation may take, beside whatever else runs. */
const PATIENCE_MS = 60_000;
const CONVERSATION_MS_MAX = 300_000;
const AT_A_TIME = 3;

const SETTINGS = { DOTDO_LEASE_DURATION_MS: '500', DOTDO_ALLOW_UNAUTHENTICATED: '1', DOTDO_CORS_ORIGINS: 'https://example.com' };

const surroundings = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(DOTDO|AWS|R2)_|^PORT$/.test(name)));

/** The names of the projects. */
export const projects = readdirSync(here).filter((name) => existsSync(join(here, name, 'conversation.js')));

/** Puts the projects, the npm package and the packages where they find each other. */
function prepare({ folder, packages, program }) {
  cpSync(here, folder, { recursive: true });
  symlinkSync(join(packages, 'node_modules'), join(folder, 'node_modules'));
  cpSync(join(here, '../../../../npm/dotdo'), join(folder, 'dotdo'), { recursive: true });
  if (!program) return;
  const platform = join(folder, `dotdo/node_modules/@dotdo/${process.platform}-${process.arch}`);
  mkdirSync(join(platform, 'bin'), { recursive: true });
  writeFileSync(join(platform, 'package.json'), '{}');
  symlinkSync(program, join(platform, 'bin/dotdo'));
}

function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

/** Waits for what `look` gives, once that is not undefined. */
export async function until(what, look) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`${what} never comes`);
    await sleep(10);
  }
}

/** A configuration of workerd that says what wrangler.jsonc says. */
function capnp({ bindings, flags, vars, port, state }) {
  const text = JSON.stringify;
  const namespaces = bindings.map(({ name, class_name: type }) => `(name = ${text(name)}, durableObjectNamespace = ${text(type)})`);
  const values = Object.entries(vars).map(([name, value]) => `(name = ${text(name)}, text = ${text(value)})`);
  const classes = bindings.map(({ class_name: type }) => `(className = ${text(type)}, uniqueKey = ${text(type)}, enableSql = true)`);
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main), (name = "state", disk = (path = ${text(state)}, writable = true))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
  # wrangler brings this module along, and the Agents SDK imports it.
  extensions = [(modules = [(name = "cloudflare-internal:email", internal = true, esModule = "class EmailMessage {} export default { EmailMessage };")])],
);
const main :Workerd.Worker = (
  modules = [(name = "bundle.js", esModule = embed "bundle.js")],
  compatibilityDate = "2026-11-01",
  compatibilityFlags = ${text(flags)},
  bindings = [${[...namespaces, ...values].join(', ')}],
  durableObjectNamespaces = [${classes.join(', ')}],
  durableObjectStorage = (localDisk = "state"),
);
`;
}

/** Writes a bundle and a configuration of workerd into a folder, where its state will be; the configuration. */
function onWorkerd(config, file, folder, port) {
  const { durable_objects: { bindings }, compatibility_flags: flags = [], vars = {} } = JSON.parse(readFileSync(config, 'utf8'));
  const state = join(folder, 'state');
  mkdirSync(state, { recursive: true });
  cpSync(file, join(folder, 'bundle.js'));
  writeFileSync(join(folder, 'config.capnp'), capnp({ bindings, flags, vars, port, state }));
  return join(folder, 'config.capnp');
}

/** A project that is served, and its clients. */
export class World {
  #command;
  #server;
  #sockets = [];

  constructor(command, port) {
    this.#command = command;
    this.host = `127.0.0.1:${port}`;
    this.url = `http://${this.host}`;
    this.log = '';
    this.until = until;
  }

  async start() {
    const [program, args, env] = this.#command;
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env });
    child.stderr.setEncoding('utf8').on('data', (part) => { this.log += part; });
    this.#server = child;
    const [host, port] = this.host.split(':');
    await until('a server', () => {
      if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
      return new Promise((done) => {
        const socket = connect(port, host, () => done(true)).on('error', () => done(false));
        socket.on('connect', () => socket.destroy());
      });
    });
  }

  /** Ends the server as a loss of power would. */
  async kill() {
    const child = this.#server;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await ended;
  }

  async restart() {
    await this.kill();
    await this.start();
  }

  /** The status, the type and the body of an answer. */
  async ask(path, { json, ...init } = {}) {
    if (json !== undefined) Object.assign(init, { method: init.method ?? 'POST', body: JSON.stringify(json), headers: { 'content-type': 'application/json', ...init.headers } });
    const answer = await fetch(this.url + path, { redirect: 'manual', ...init });
    const body = await answer.text();
    const type = answer.headers.get('content-type');
    return { status: answer.status, type, body: type?.includes('json') && body ? JSON.parse(body) : body };
  }

  /** A WebSocket, with what has come on it. */
  async socket(path, headers = {}) {
    const { default: WebSocket } = await import(this.packages('ws/wrapper.mjs'));
    const socket = new Client(new WebSocket(`ws://${this.host}${path}`, { headers }));
    this.#sockets.push(socket);
    await socket.opened;
    return socket;
  }

  end() {
    for (const socket of this.#sockets) socket.socket.terminate();
    this.#server.kill('SIGKILL');
  }
}

/** A client of a WebSocket: what has come and was not read. */
class Client {
  #came = [];

  constructor(socket) {
    this.socket = socket;
    this.opened = new Promise((done, fail) => { socket.on('open', done).on('error', fail); });
    socket.on('message', (data, isBinary) => this.#came.push(isBinary ? [...data] : data.toString()));
    this.closed = new Promise((done) => socket.on('close', (code, reason) => {
      this.#came.push({ closed: code, reason: reason.toString() });
      done();
    }));
  }

  send(what) {
    this.socket.send(typeof what === 'string' || what instanceof Uint8Array ? what : JSON.stringify(what));
  }

  /** The next message; JSON is parsed. */
  async next() {
    await until('a message', () => this.#came.length > 0);
    const message = this.#came.shift();
    return typeof message === 'string' && /^[[{]/.test(message) ? JSON.parse(message) : message;
  }

  async close(code, reason) {
    this.socket.close(code, reason);
    await this.closed;
  }
}

/** Has one project's conversation; what it tells. */
async function converse(name, options) {
  const folder = join(options.folder, name);
  const tools = (path) => import(pathToFileURL(join(options.folder, path)));
  const [{ bundle }, { projectOf }] = await Promise.all(['dotdo/lib/bundle.js', 'dotdo/lib/project.js'].map(tools));
  const { default: conversation, settings } = await tools(`${name}/conversation.js`);
  const project = projectOf(options.program, folder);
  if (!project) throw new Error(`${name}: expected a project, got none`);
  const file = (await bundle(project)).file ?? project.main;
  const [port, state] = [await freePort(), join(folder, 'state')];
  let command;
  if (options.workerd) {
    command = [options.workerd, ['serve', onWorkerd(project.config, file, folder, port)], surroundings];
  } else {
    const args = ['serve', project.worker, '--bundle', file, '--port', String(port), '--storage', `file://${state}`];
    command = [options.program, args, { ...surroundings, ...SETTINGS, ...settings, PARENT_OF_DOTDO: String(process.pid) }];
  }
  const world = new World(command, port);
  world.packages = (path) => pathToFileURL(join(options.folder, 'node_modules', path));
  const answers = {};
  const tell = (step, answer) => {
    if (step in answers) throw new Error(`${name}: two steps are called ${step}`);
    answers[step] = answer ?? null;
  };
  try {
    await world.start();
    let timer;
    const late = new Promise((_, fail) => { timer = setTimeout(() => fail(new Error('the conversation does not end')), CONVERSATION_MS_MAX); });
    await Promise.race([conversation(world, tell), late]).finally(() => clearTimeout(timer));
  } catch (error) {
    error.message = `${name}, after ${Object.keys(answers).at(-1) ?? 'nothing'}: ${error.message}\n${world.log.slice(-4000)}`;
    throw error;
  } finally {
    world.end();
  }
  return answers;
}

/** What the conversations of `names` tell. */
export async function run(options, names) {
  prepare(options);
  const told = {};
  const left = names.length ? [...names] : [...projects];
  const next = async () => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) told[name] = await converse(name, options);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, next));
  return told;
}

/** Writes the bundle of a project into the folder, and a configuration of workerd. */
async function write(name, options) {
  prepare(options);
  const folder = join(options.folder, name);
  const config = join(folder, 'wrangler.jsonc');
  const settings = JSON.parse(readFileSync(config, 'utf8'));
  const { bundle } = await import(pathToFileURL(join(options.folder, 'dotdo/lib/bundle.js')));
  const { file } = await bundle({ main: join(folder, settings.main), folder, settings }, { mode: 'production' });
  onWorkerd(config, file, options.folder, options.port);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const text = { type: 'string' };
  const { values: { out, port, ...paths }, positionals } = parseArgs({ options: { packages: text, folder: text, program: text, out: text, port: text }, allowPositionals: true });
  const options = Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, resolve(path)]));
  if (port) await write(positionals[0], { ...options, port });
  else writeFileSync(out, JSON.stringify(await run(options, positionals)));
  // Clients of packages may keep timers.
  process.exit(0);
}
