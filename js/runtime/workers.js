// The module `cloudflare:workers`.
import { missing } from 'dotdo:host';
import { env, exported, waitUntilOfEvent } from 'dotdo:environment';

export class DurableObject {
  constructor(ctx, env) {
    this.ctx = ctx;
    this.env = env;
  }
}

export class WorkerEntrypoint {
  constructor(ctx, env) {
    this.ctx = ctx;
    this.env = env;
  }
}

const absentClass = (name) => {
  const type = class {
    constructor() {
      missing(name);
    }
  };
  Object.defineProperty(type, 'name', { value: name });
  return type;
};

export { RpcPromise, RpcStub, RpcTarget } from 'dotdo:targets';
export const WorkflowEntrypoint = absentClass('WorkflowEntrypoint');

const absentObject = (name) => new Proxy({}, { get: (_, member) => (typeof member === 'symbol' ? undefined : missing(`${name}.${member}`)) });

export { exported as exports };
export const cache = absentObject('cache');
export { tracing } from 'dotdo:tracing';
export const withEnv = () => missing('withEnv');
export const waitUntil = (work) => waitUntilOfEvent(work);
export { env };
