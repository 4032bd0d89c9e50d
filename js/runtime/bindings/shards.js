// Which object has a key, and lists that are merged of all of them.
import { encodeUtf8 } from 'dotdo:host';

/** Number of objects that share the keys of a namespace or bucket. It never changes: a key would be in another one. */
const SHARDS = 8;

const all = Array.from({ length: SHARDS }, (_, number) => number);

/** FNV-1a of the key's UTF-8. */
function shardOf(key) {
  let hash = 0x811c9dc5;
  for (const byte of encodeUtf8(key)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0) % SHARDS;
}

/** The objects of `type` that share the keys of `name`. */
export class Shards {
  #type;
  #name;

  constructor(type, name) {
    this.#type = type;
    this.#name = name;
  }

  of(key) {
    return this.at(shardOf(key));
  }

  at(number) {
    return { class: this.#type, object: `${this.#name}_${number}` };
  }

  /** The keys by the object that has them. */
  group(keys) {
    const groups = new Map();
    for (const key of keys) {
      const number = shardOf(key);
      groups.set(number, [...(groups.get(number) ?? []), key]);
    }
    return [...groups].map(([number, some]) => [this.at(number), some]);
  }

  /**
   * The first `limit` items from `start` on, and after `after`, in the order of their keys, of what `read(shard, after, count)`
   * gives of each: items with `key`, and `next` if there are more. Items with the same key are one.
   */
  async merge({ start, after }, limit, read) {
    const found = new Map();
    const begin = after !== undefined && compare(after, start) < 0 ? undefined : after;
    const open = new Map(all.map((number) => [number, begin]));
    const share = Math.min(limit + 1, Math.ceil((limit / SHARDS) * 1.5) + 8);
    for (;;) {
      await Promise.all([...open].map(async ([number, from]) => {
        const { items, next } = await read(this.at(number), from, share);
        for (const item of items) found.set(item.key, item);
        if (next === undefined) open.delete(number);
        else open.set(number, next);
      }));
      const sorted = [...found.values()].sort((a, b) => compare(a.key, b.key));
      // Beyond the end of what one of them has told, there may be more of its keys between those of others.
      const bound = [...open.values()].sort(compare)[0];
      const sure = bound === undefined ? sorted : sorted.filter(({ key }) => compare(key, bound) <= 0);
      if (sure.length > limit || !open.size) return { items: sure.slice(0, limit), isComplete: sure.length <= limit };
    }
  }
}

/** The order of the bytes of two texts' UTF-8, which SQLite has. */
export function compare(a, b) {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const [one, other] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (one === other) continue;
    const isPair = (unit) => unit >= 0xd800 && unit < 0xe000;
    if (isPair(one) !== isPair(other)) return isPair(one) ? 1 : -1;
    return one - other;
  }
  return a.length - b.length;
}

/** After all texts that begin with `prefix`, in that order. */
export const endOf = (prefix) => `${prefix}\u{10FFFF}\u{10FFFF}\u{10FFFF}`;

/** Where a list goes on, for those who read it in pages. */
export const cursorAfter = (key) => btoa(encodeURIComponent(key));

export function keyBefore(cursor) {
  try {
    return decodeURIComponent(atob(String(cursor)));
  } catch {
    throw new Error('expected a cursor that list() has returned, got another text');
  }
}
