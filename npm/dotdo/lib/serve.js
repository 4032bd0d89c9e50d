// `dotdo serve` and `dotdo dev` of a project that has to be bundled: bundles, serves, and does both
// again when its files change. What can't be bundled or loaded leaves the running server alone.
import { spawn } from 'node:child_process';
import { BuildError, bundle, settingsOf, sweep } from './bundle.js';
import { SIGNALS, endAs, ended, environment, stop } from './child.js';
import { projectOf, wrongWith } from './project.js';
import { Watch } from './watch.js';

/** What `dotdo dev` logs is for people, unless somebody has said otherwise. */
const FOR_PEOPLE = { DOTDO_LOG_FORMAT: process.env.DOTDO_LOG_FORMAT || 'human' };

const say = (text) => process.stderr.write(`dotdo: ${text}\n`);

/** A server that follows its project. */
export class Serving {
  #program;
  #args;
  #worker;
  #survives;
  #project;
  #server;
  #running;
  #asked;

  /** `args`: those of the server without the worker. `survives`: it waits for a change when the server ends by itself. */
  constructor(program, project, { worker, args, survives }) {
    this.#program = program;
    this.#project = project;
    this.#worker = worker;
    this.#args = args;
    this.#survives = survives;
    for (const name of SIGNALS) process.on(name, () => this.#stop(name));
  }

  #stop(signal) {
    this.#asked ??= signal;
    if (this.#server) this.#server.kill(signal);
    else process.exit(0);
  }

  /** Bundles what is there now and has it loaded once; undefined when something is wrong, which is told. */
  async #build() {
    const project = projectOf(this.#program, this.#worker);
    if (!project) {
      say(wrongWith(this.#program, this.#project, this.#project.main) ?? 'the configuration is gone');
      return undefined;
    }
    try {
      const built = await bundle(project);
      const file = built.file ?? project.main;
      const wrong = wrongWith(this.#program, project, file);
      if (wrong) {
        process.stderr.write(`${wrong}\n`);
        return undefined;
      }
      this.#project = project;
      return { ...built, file, key: `${built.file ?? Date.now()}\0${settingsOf(project)}` };
    } catch (error) {
      if (!(error instanceof BuildError)) throw error;
      process.stderr.write(`${error.message}\n`);
      return undefined;
    }
  }

  async #start({ file, key }) {
    if (this.#server) await stop(this.#server);
    if (this.#asked) return;
    const args = ['serve', this.#project.worker, '--bundle', file, ...this.#args];
    this.#server = spawn(this.#program, args, { stdio: ['ignore', 'inherit', 'inherit'], detached: true, env: environment(this.#survives ? FOR_PEOPLE : {}) });
    this.#running = key;
    sweep(this.#project, file);
  }

  /** Serves once, without looking for changes. */
  async once() {
    const built = await this.#build();
    if (!built) process.exit(2);
    await this.#start(built);
    endAs(await ended(this.#server));
  }

  /** Serves until it is told to stop. */
  async follow() {
    const watch = new Watch(this.#project.folder);
    let built = await this.#build();
    if (!built && !this.#survives) process.exit(2);
    for (;;) {
      if (built && built.key !== this.#running) await this.#start(built);
      if (built) watch.include(built.modules);
      const change = await this.#next(watch);
      if (change === undefined) return;
      say(`${change} changed`);
      built = await this.#build();
      if (!built) say(this.#server ? 'the running server stays; waiting for a change' : 'waiting for a change');
    }
  }

  /** Waits for a change; undefined when it was told to stop. */
  async #next(watch) {
    const server = this.#server;
    const waiting = new AbortController();
    const changed = watch.changed(waiting.signal);
    const end = server && await Promise.race([changed.then(() => undefined), ended(server)]);
    if (!end) return changed;
    waiting.abort();
    await changed;
    if (this.#asked || !this.#survives) {
      sweep(this.#project);
      endAs(end);
      return undefined;
    }
    say(`the server has ended (${end.signal ?? `exit code ${end.code}`}); waiting for a change`);
    this.#server = undefined;
    this.#running = undefined;
    return watch.changed(new AbortController().signal);
  }
}
