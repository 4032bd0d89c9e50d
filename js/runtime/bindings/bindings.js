// The bindings of `env` besides classes. What a kind needs is loaded if the configuration names one.
import { load } from 'dotdo:lazy';

const KINDS = [
  ['kv', 'dotdo:bindings/kv', 'KvNamespace'],
  ['r2', 'dotdo:bindings/r2', 'R2Bucket'],
  ['d1', 'dotdo:bindings/d1', 'D1Database'],
  ['queues', 'dotdo:bindings/queue', 'WorkerQueue'],
];

/** Puts them into `env`. */
export function bind(env, settings) {
  for (const [kind, module, type] of KINDS) {
    for (const [name, about] of Object.entries(settings[kind] ?? {})) env[name] = new (load(module)[type])(about);
  }
}

/** The classes of the runtime's own objects, which begin with `dotdo_`; no class of a bundle does. */
const CLASSES = {
  dotdo_kv: ['dotdo:bindings/kv-object', 'KvKeys'],
  dotdo_kv_value: ['dotdo:bindings/content-object', 'Content'],
  dotdo_r2: ['dotdo:bindings/r2-object', 'R2Keys'],
  dotdo_r2_value: ['dotdo:bindings/content-object', 'Content'],
  dotdo_d1: ['dotdo:bindings/d1-object', 'Database'],
  dotdo_queue: ['dotdo:bindings/queue-object', 'Queue'],
  dotdo_cron: ['dotdo:bindings/cron-object', 'Cron'],
};

export function classOf(name) {
  const [module, type] = CLASSES[name];
  return load(module)[type];
}
