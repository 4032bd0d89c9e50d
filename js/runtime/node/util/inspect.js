// How values are shown to people, as Node's `util.inspect` does.
import { host } from 'dotdo:host';
import { checkObject, invalidType } from 'dotdo:node/errors';
import { errorText, functionText } from 'dotdo:node/util/names';
import { fitted } from 'dotdo:node/util/lines';
import { quoted } from 'dotdo:node/util/quote';
import * as types from 'node:util/types';

const custom = Symbol.for('nodejs.util.inspect.custom');

const DEFAULTS = {
  showHidden: false, depth: 2, colors: false, customInspect: true, showProxy: false, maxArrayLength: 100, maxStringLength: 10000,
  breakLength: 80, compact: 3, sorted: false, getters: false, numericSeparator: false,
};
let defaults = { ...DEFAULTS };

const plainStyle = (text) => text;
const colored = (text, style) => {
  const [begin, end] = inspect.colors[inspect.styles[style]] ?? [];
  return begin === undefined ? text : `\u001b[${begin}m${text}\u001b[${end}m`;
};

export function inspect(value, options, ...older) {
  const ctx = { ...defaults, budget: {}, indentation: 0, seen: [], depthNow: 0, style: plainStyle };
  if (typeof options === 'boolean') Object.assign(ctx, { showHidden: options, depth: older[0] === undefined ? ctx.depth : older[0], colors: older[1] ?? ctx.colors });
  else if (typeof options === 'object' && options !== null) for (const [name, given] of Object.entries(options)) if (name in DEFAULTS || name === 'stylize') ctx[name] = given;
  if (ctx.stylize) ctx.style = ctx.stylize;
  else if (ctx.colors) ctx.style = colored;
  ctx.maxArrayLength ??= Infinity;
  ctx.maxStringLength ??= Infinity;
  return shown(ctx, value, 0);
}

inspect.custom = custom;
inspect.colors = {
  __proto__: null, reset: [0, 0], bold: [1, 22], dim: [2, 22], italic: [3, 23], underline: [4, 24], blink: [5, 25], inverse: [7, 27], hidden: [8, 28],
  strikethrough: [9, 29], doubleunderline: [21, 24], black: [30, 39], red: [31, 39], green: [32, 39], yellow: [33, 39], blue: [34, 39], magenta: [35, 39],
  cyan: [36, 39], white: [37, 39], bgBlack: [40, 49], bgRed: [41, 49], bgGreen: [42, 49], bgYellow: [43, 49], bgBlue: [44, 49], bgMagenta: [45, 49],
  bgCyan: [46, 49], bgWhite: [47, 49], framed: [51, 54], overlined: [53, 55], gray: [90, 39], grey: [90, 39], redBright: [91, 39], greenBright: [92, 39],
  yellowBright: [93, 39], blueBright: [94, 39], magentaBright: [95, 39], cyanBright: [96, 39], whiteBright: [97, 39], bgGray: [100, 49], bgRedBright: [101, 49],
  bgGreenBright: [102, 49], bgYellowBright: [103, 49], bgBlueBright: [104, 49], bgMagentaBright: [105, 49], bgCyanBright: [106, 49], bgWhiteBright: [107, 49],
};
inspect.styles = {
  __proto__: null, special: 'cyan', number: 'yellow', bigint: 'yellow', boolean: 'yellow', undefined: 'grey', null: 'bold', string: 'green', symbol: 'green',
  date: 'magenta', regexp: 'red', module: 'underline',
};
Object.defineProperty(inspect, 'defaultOptions', {
  get: () => defaults,
  set(options) {
    checkObject(options, 'options');
    Object.assign(defaults, options);
  },
});

/** A value at a depth; an array's own memory is shown without its bytes. */
export function shown(ctx, value, depth, isOfArray = false) {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return primitive(ctx, value);
  const given = value;
  const proxy = host.inside(value);
  if (proxy?.[0] === 'proxy') {
    if (ctx.showProxy) return proxyText(ctx, proxy, depth);
    let inner = proxy;
    while (inner?.[0] === 'proxy') {
      value = inner[1];
      inner = host.inside(value);
    }
    if (value === null) return '<Revoked Proxy>';
  }
  if (ctx.customInspect) {
    const byItself = customText(ctx, value, given, depth);
    if (byItself !== undefined) return byItself;
  }
  const around = proxy?.[0] === 'proxy' ? (text) => `Proxy(${text})` : plainStyle;
  if (ctx.seen.includes(value)) return ctx.style(`[Circular *${numberOf(ctx, value)}]`, 'special');
  return around(raw(ctx, value, depth, isOfArray));
}

function numberOf(ctx, value) {
  ctx.circular ??= new Map();
  if (!ctx.circular.has(value)) ctx.circular.set(value, ctx.circular.size + 1);
  return ctx.circular.get(value);
}

function customText(ctx, value, given, depth) {
  const own = value[custom];
  if (typeof own !== 'function' || own === inspect || value.constructor?.prototype === value) return undefined;
  const options = Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, ctx[name]]));
  const left = ctx.depth === null ? null : ctx.depth - depth;
  options.depth = left;
  options.stylize = (text, style) => ctx.style(`${text}`, style);
  const result = own.call(given, left, options, inspect);
  if (result === given) return undefined;
  if (typeof result !== 'object' || result === null) return `${result}`.replaceAll('\n', `\n${' '.repeat(ctx.indentation)}`);
  return shown(ctx, result, depth).replaceAll('\n', `\n${' '.repeat(ctx.indentation)}`);
}

function proxyText(ctx, [, target, handler], depth) {
  if (target === null) return ctx.style('<Revoked Proxy>', 'special');
  if (ctx.depth !== null && depth > ctx.depth) return ctx.style('Proxy [Array]', 'special');
  ctx.indentation += 2;
  const parts = [shown(ctx, target, depth + 1), shown(ctx, handler, depth + 1)];
  ctx.indentation -= 2;
  return fitted(ctx, parts, { base: '', braces: ['Proxy [', ']'], kind: 'list', depth: depth + 1 });
}

const separated = (digits) => digits.replace(/(?<=\d)(?=(\d{3})+(?!\d))/g, '_');

export function numberText(ctx, value) {
  if (Object.is(value, -0)) return ctx.style('-0', 'number');
  const text = String(value);
  if (!ctx.numericSeparator || /e|N|I/.test(text)) return ctx.style(text, 'number');
  const [whole, part] = text.split('.');
  const fraction = part === undefined ? '' : `.${part.replace(/(\d{3})(?=\d)/g, '$1_')}`;
  return ctx.style(separated(whole) + fraction, 'number');
}

const bigintText = (ctx, value) => ctx.style(`${ctx.numericSeparator ? separated(String(value)) : value}n`, 'bigint');

function stringText(ctx, value) {
  let [text, more] = [value, ''];
  if (text.length > ctx.maxStringLength) {
    const rest = text.length - ctx.maxStringLength;
    text = text.slice(0, ctx.maxStringLength);
    more = `... ${rest} more character${rest > 1 ? 's' : ''}`;
  }
  if (ctx.compact !== true && text.length > 16 && text.length > ctx.breakLength - ctx.indentation - 4) {
    const lines = text.split(/(?<=\n)/).map((line) => ctx.style(quoted(line), 'string'));
    return lines.join(` +\n${' '.repeat(ctx.indentation + 2)}`) + more;
  }
  return ctx.style(quoted(text), 'string') + more;
}

function primitive(ctx, value) {
  switch (typeof value) {
    case 'string': return stringText(ctx, value);
    case 'number': return numberText(ctx, value);
    case 'bigint': return bigintText(ctx, value);
    case 'symbol': return ctx.style(value.toString(), 'symbol');
    case 'undefined': return ctx.style('undefined', 'undefined');
    default: return ctx.style(String(value), value === null ? 'null' : 'boolean');
  }
}

/** The name of the class that made `value`; `null` if it has no prototype. */
function makerOf(value) {
  for (let type = value; type !== null; type = Object.getPrototypeOf(type)) {
    const maker = Object.getOwnPropertyDescriptor(type, 'constructor')?.value ?? (type === Promise.prototype ? Promise : undefined);
    if (typeof maker === 'function' && maker.name !== '' && Object.prototype.isPrototypeOf.call(maker.prototype ?? null, value)) return maker.name;
  }
  return null;
}

function prefixOf(maker, tag, otherwise, size = '') {
  if (maker === null) return tag !== '' && otherwise !== tag ? `[${otherwise}${size}: null prototype] [${tag}] ` : `[${otherwise}${size}: null prototype] `;
  return tag !== '' && maker !== tag ? `${maker}${size} [${tag}] ` : `${maker}${size} `;
}

/** Keys that are shown; of lists without those of their items. */
function keysOf(ctx, value, isList) {
  const isItem = (key) => isList && /^(0|[1-9]\d*)$/.test(key);
  const names = (ctx.showHidden ? Object.getOwnPropertyNames(value) : Object.keys(value)).filter((key) => !isItem(key));
  const isShown = (symbol) => ctx.showHidden || Object.prototype.propertyIsEnumerable.call(value, symbol);
  return [...names, ...Object.getOwnPropertySymbols(value).filter(isShown)];
}

function tagOf(ctx, value) {
  let tag;
  try {
    tag = value[Symbol.toStringTag];
  } catch {
    return '';
  }
  if (typeof tag !== 'string' || tag === '') return '';
  return Object.hasOwn(value, Symbol.toStringTag) && (ctx.showHidden || Object.prototype.propertyIsEnumerable.call(value, Symbol.toStringTag)) ? '' : tag;
}

/** How a kind of value is shown: a text that is all of it, or what comes before, within braces, and as its items. */
function formOf(ctx, value, depth, isOfArray) {
  const maker = makerOf(value);
  const tag = tagOf(ctx, value);
  const prefix = (otherwise, size) => prefixOf(maker, tag, otherwise, size);
  if (Symbol.iterator in value || maker === null) {
    const listed = iterableForm(ctx, value, { maker, tag, prefix });
    if (listed) return listed;
  }
  const keys = keysOf(ctx, value, false);
  const object = (otherwise, items) => ({ braces: [`${prefix(otherwise)}{`, '}'], keys, items, maker, tag, prefix });
  const based = (base) => ({ base, braces: ['{', '}'], keys, maker, tag, prefix, isWhole: keys.length === 0 });
  if (types.isArgumentsObject(value)) return { braces: ['[Arguments] [', ']'], keys: keysOf(ctx, value, true), kind: 'list', items: arrayItems, maker, tag, prefix };
  if (typeof value === 'function') return based(functionText(value, maker, tag, (text) => (keys.length === 0 ? ctx.style(text, 'special') : text)));
  if (types.isRegExp(value)) return { ...based(ctx.style(`${prefix('RegExp') === 'RegExp ' ? '' : prefix('RegExp')}${RegExp.prototype.toString.call(value)}`, 'regexp')), isShort: true };
  if (types.isDate(value)) {
    const text = Number.isNaN(value.getTime()) ? 'Invalid Date' : Date.prototype.toISOString.call(value);
    return based(ctx.style(`${prefix('Date') === 'Date ' ? '' : prefix('Date')}${text}`, 'date'));
  }
  if (types.isNativeError(value)) return based(errorText(value, maker, tag, keys, ctx));
  if (types.isAnyArrayBuffer(value)) {
    const kind = types.isArrayBuffer(value) ? 'ArrayBuffer' : 'SharedArrayBuffer';
    if (isOfArray && keys.length === 0) return { base: `${prefix(kind)}{ byteLength: ${numberText(ctx, value.byteLength)} }`, isWhole: true };
    return { ...object(kind, isOfArray ? undefined : memoryItems), keys: ['byteLength', ...keys] };
  }
  if (types.isDataView(value)) return { ...object('DataView'), keys: ['byteLength', 'byteOffset', 'buffer', ...keys] };
  if (types.isPromise(value)) return object('Promise', promiseItems);
  if (types.isWeakSet(value) || types.isWeakMap(value)) return object(types.isWeakSet(value) ? 'WeakSet' : 'WeakMap', () => [ctx.style('<items unknown>', 'special')]);
  if (types.isModuleNamespaceObject(value)) return { braces: ['[Module: null prototype] {', '}'], keys, maker, tag, prefix };
  if (types.isBoxedPrimitive(value)) return boxedForm(ctx, value, { maker, tag, prefix });
  if (maker === 'Object' && tag === '') return keys.length === 0 ? { base: '{}', isWhole: true } : { braces: ['{', '}'], keys, maker, tag, prefix };
  return keys.length === 0 ? { base: `${prefix('Object')}{}`, isWhole: true } : object('Object');
}

function iterableForm(ctx, value, parts) {
  const { maker, tag, prefix } = parts;
  if (Array.isArray(value)) {
    const before = maker !== 'Array' || tag !== '' ? prefix('Array', `(${value.length})`) : '';
    return { ...parts, braces: [`${before}[`, ']'], keys: keysOf(ctx, value, true), kind: 'list', items: arrayItems, isEmpty: value.length === 0 };
  }
  if (types.isSet(value)) return { ...parts, braces: [`${prefix('Set', `(${setSize.call(value)})`)}{`, '}'], keys: keysOf(ctx, value, false), items: setItems, isEmpty: setSize.call(value) === 0 };
  if (types.isMap(value)) return { ...parts, braces: [`${prefix('Map', `(${mapSize.call(value)})`)}{`, '}'], keys: keysOf(ctx, value, false), items: mapItems, isEmpty: mapSize.call(value) === 0 };
  if (types.isTypedArray(value)) {
    return { ...parts, braces: [`${prefix(maker === null ? tag : '', `(${value.length})`)}[`, ']'], keys: keysOf(ctx, value, true), kind: 'list', items: typedItems, isEmpty: value.length === 0 && !ctx.showHidden };
  }
  if (types.isMapIterator(value) || types.isSetIterator(value)) {
    return { ...parts, braces: [`[${tag}] {`, '}'], keys: keysOf(ctx, value, false), items: () => [ctx.style('<items unknown>', 'special')] };
  }
  return undefined;
}

const mapSize = Object.getOwnPropertyDescriptor(Map.prototype, 'size').get;
const setSize = Object.getOwnPropertyDescriptor(Set.prototype, 'size').get;

function boxedForm(ctx, value, { maker, tag, prefix }) {
  const kind = ['Number', 'String', 'Boolean', 'BigInt', 'Symbol'].find((name) => types[`is${name}Object`](value));
  const keys = keysOf(ctx, value, kind === 'String').filter((key) => kind !== 'String' || key !== 'length' || ctx.showHidden);
  const made = maker === null ? ' (null prototype)' : kind !== maker ? ` (${maker})` : '';
  const within = primitive({ ...ctx, style: plainStyle }, globalThis[kind].prototype.valueOf.call(value));
  const base = `[${kind}${made}: ${within}]${tag !== '' && tag !== maker ? ` [${tag}]` : ''}`;
  const isWhole = keys.length === 0;
  return { base: isWhole ? ctx.style(base, kind.toLowerCase()) : base, braces: ['{', '}'], keys, maker, tag, prefix, isWhole };
}

/** A value that is not a primitive, by its kind and its properties. */
function raw(ctx, value, depth, isOfArray) {
  const form = formOf(ctx, value, depth, isOfArray);
  if (form.isWhole) return form.base;
  const { base = '', braces, keys, items, kind } = form;
  if (form.isEmpty && keys.length === 0) return `${braces[0]}${braces[1]}`;
  if (ctx.depth !== null && depth > ctx.depth) {
    if (form.isShort) return base;
    const name = Array.isArray(value) ? form.prefix('Array').slice(0, -1) : form.prefix('Object').slice(0, -1);
    return ctx.style(form.maker === null ? `[${name}]` : `[${name}]`, 'special');
  }
  ctx.seen.push(value);
  ctx.depthNow = depth + 1;
  const output = items ? items(ctx, value, depth + 1) : [];
  for (const key of keys) output.push(property(ctx, value, depth + 1, key));
  ctx.seen.pop();
  let before = base;
  const reference = ctx.circular?.get(value);
  if (reference !== undefined) {
    const mark = ctx.style(`<ref *${reference}>`, 'special');
    if (ctx.compact !== true) before = base === '' ? mark : `${mark} ${base}`;
    else braces[0] = `${mark} ${braces[0]}`;
  }
  if (ctx.sorted) {
    const by = ctx.sorted === true ? undefined : ctx.sorted;
    if (kind === 'list') output.splice(output.length - keys.length, keys.length, ...output.slice(output.length - keys.length).sort(by));
    else output.sort(by);
  }
  return fitted(ctx, output, { base: before, braces, kind, depth: depth + 1, value });
}

/** One of the items of an array, or a property with its key. */
function property(ctx, value, depth, key, isItem = false) {
  const found = Object.getOwnPropertyDescriptor(value, key) ?? { value: value[key], enumerable: true };
  const text = propertyText(ctx, value, depth, found);
  if (isItem) return text;
  const name = keyText(ctx, key, found.enumerable);
  return `${name}: ${text}`;
}

function propertyText(ctx, value, depth, found) {
  if (found.value !== undefined || !(found.get || found.set)) {
    ctx.indentation += 2;
    const text = shown(ctx, found.value, depth);
    ctx.indentation -= 2;
    return text;
  }
  if (!found.get) return ctx.style('[Setter]', 'special');
  const label = found.set ? 'Getter/Setter' : 'Getter';
  const isAsked = ctx.getters === true || (ctx.getters === 'get' && !found.set) || (ctx.getters === 'set' && found.set);
  if (!isAsked) return ctx.style(`[${label}]`, 'special');
  try {
    const got = found.get.call(value);
    ctx.indentation += 2;
    const text = got === null || typeof got !== 'object' ? `${ctx.style(`[${label}:`, 'special')} ${primitive(ctx, got)}${ctx.style(']', 'special')}` : `${ctx.style(`[${label}]`, 'special')} ${shown(ctx, got, depth)}`;
    ctx.indentation -= 2;
    return text;
  } catch (error) {
    return ctx.style(`[${label}: <Inspection threw (${error.message})>]`, 'special');
  }
}

function keyText(ctx, key, isEnumerable) {
  if (typeof key === 'symbol') return isEnumerable ? ctx.style(key.toString(), 'symbol') : `[${ctx.style(key.toString(), 'symbol')}]`;
  if (key === '__proto__') return "['__proto__']";
  if (!isEnumerable) return `[${key}]`;
  return /^[a-zA-Z_][a-zA-Z_0-9]*$/.test(key) ? ctx.style(key, 'name') : ctx.style(quoted(key), 'string');
}

const moreItems = (count) => `... ${count} more item${count > 1 ? 's' : ''}`;

function arrayItems(ctx, value, depth) {
  const output = [];
  const most = Math.min(Math.max(0, ctx.maxArrayLength), value.length);
  let at = 0;
  while (at < value.length && output.length < most) {
    if (Object.hasOwn(value, at)) output.push(property(ctx, value, depth, at++, true));
    else {
      const start = at;
      while (at < value.length && !Object.hasOwn(value, at)) at++;
      output.push(ctx.style(`<${at - start} empty item${at - start > 1 ? 's' : ''}>`, 'undefined'));
    }
  }
  if (at < value.length) output.push(moreItems(value.length - at));
  return output;
}

function typedItems(ctx, value, depth) {
  const most = Math.min(Math.max(0, ctx.maxArrayLength), value.length);
  const text = typeof value[0] === 'bigint' ? bigintText : numberText;
  const output = Array.from({ length: most }, (_, at) => text(ctx, value[at]));
  if (value.length > most) output.push(moreItems(value.length - most));
  if (ctx.showHidden) {
    ctx.indentation += 2;
    for (const key of ['BYTES_PER_ELEMENT', 'length', 'byteLength', 'byteOffset', 'buffer']) output.push(`[${key}]: ${shown(ctx, value[key], depth, true)}`);
    ctx.indentation -= 2;
  }
  return output;
}

function members(ctx, all, size, textOf) {
  const output = [];
  const most = Math.min(Math.max(0, ctx.maxArrayLength), size);
  ctx.indentation += 2;
  for (const member of all) {
    if (output.length >= most) break;
    output.push(textOf(member));
  }
  if (size > most) output.push(moreItems(size - most));
  ctx.indentation -= 2;
  return output;
}

const setItems = (ctx, value, depth) => members(ctx, Set.prototype.values.call(value), setSize.call(value), (item) => shown(ctx, item, depth));
const mapItems = (ctx, value, depth) => members(ctx, Map.prototype.entries.call(value), mapSize.call(value), ([key, item]) => `${shown(ctx, key, depth)} => ${shown(ctx, item, depth)}`);

function memoryItems(ctx, value) {
  const bytes = new Uint8Array(value);
  const most = Math.min(Math.max(0, ctx.maxArrayLength), bytes.length);
  const digits = Array.from(bytes.subarray(0, most), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  const more = bytes.length - most;
  return [`${ctx.style('[Uint8Contents]', 'special')}: <${digits}${more > 0 ? ` ... ${more} more byte${more > 1 ? 's' : ''}` : ''}>`];
}

function promiseItems(ctx, value, depth) {
  const [, state, result] = host.inside(value);
  if (state === 'pending') return [ctx.style('<pending>', 'special')];
  ctx.indentation += 2;
  const text = shown(ctx, result, depth);
  ctx.indentation -= 2;
  return [state === 'rejected' ? `${ctx.style('<rejected>', 'special')} ${text}` : text];
}

export function checkInspectOptions(options) {
  if (typeof options !== 'object' || options === null) throw invalidType('inspectOptions', 'object', options);
}
