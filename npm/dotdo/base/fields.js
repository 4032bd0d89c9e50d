// The collections and their fields, which are the only names that become part of a statement: those of
// dotdo's built-in class.
import { invalid } from './errors.js';

const field = (name, kind, more = {}) => ({ name, kind, ...more });
const byObject = { isFixed: true };

const things = [
  field('id', 'text'),
  field('type', 'text', { default: 'Thing' }),
  field('branch', 'text', { default: 'main' }),
  field('name', 'text'),
  field('data', 'json'),
  field('deleted', 'flag', byObject),
  field('visibility', 'text'),
  field('version', 'integer', byObject),
];

const relationships = [
  field('id', 'text'),
  field('verb', 'text', { isRequired: true }),
  field('from', 'text', { isRequired: true }),
  field('to', 'text', { isRequired: true }),
  field('data', 'json'),
  field('created_at', 'time', byObject),
];

const actions = [
  field('id', 'text'),
  field('verb', 'text', { isRequired: true }),
  field('actor', 'text'),
  field('target', 'text'),
  field('input', 'integer'),
  field('output', 'integer'),
  field('options', 'json'),
  field('durability', ['send', 'try', 'do'], { default: 'do' }),
  field('status', ['pending', 'running', 'completed', 'failed', 'undone', 'retrying'], { default: 'pending' }),
  field('error', 'json'),
  field('request_id', 'text'),
  field('session_id', 'text'),
  field('workflow_id', 'text'),
  field('started_at', 'time', byObject),
  field('completed_at', 'time', byObject),
  field('duration', 'integer', byObject),
  field('created_at', 'time', byObject),
];

const events = [
  field('id', 'text'),
  field('verb', 'text', { isRequired: true }),
  field('source', 'text'),
  field('data', 'json'),
  field('action_id', 'text'),
  field('sequence', 'integer', byObject),
  field('streamed', 'flag'),
  field('streamed_at', 'time'),
  field('created_at', 'time', byObject),
];

export const THINGS = { name: 'things', item: 'a thing', fields: things };
export const RELATIONSHIPS = { name: 'relationships', item: 'a relationship', fields: relationships };
export const ACTIONS = { name: 'actions', item: 'an action', fields: actions };
export const EVENTS = { name: 'events', item: 'an event', fields: events };

/** The column in a statement; a version is a rowid. */
export const columnOf = ({ name }) => (name === 'version' ? 'rowid' : `"${name}"`);

const WANTED = {
  text: 'a text',
  integer: 'a whole number',
  flag: 'true or false',
  time: 'a time: a Date, RFC 3339 or milliseconds since 1970',
  json: 'JSON',
};

export function shown(value) {
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 64 ? text : `${text.slice(0, 60)} …`;
}

/** A time in stored form: RFC 3339 in UTC with milliseconds, so that the order of texts is that of times. */
export function timeOf(name, given) {
  const time = new Date(given);
  if (Number.isNaN(time.getTime())) throw invalid(`\`${name}\`: expected ${WANTED.time}, got ${shown(given)}`);
  return time.toISOString();
}

function fits(kind, value) {
  switch (kind) {
    case 'text': return typeof value === 'string';
    case 'integer': return Number.isSafeInteger(value);
    case 'flag': return typeof value === 'boolean';
    default: return Array.isArray(kind) && kind.includes(value);
  }
}

/** The value of a field as an item has it. */
function valueOf({ item }, { name, kind, isFixed, isRequired, default: usual }, given) {
  if (given === undefined || given === null) {
    if (isRequired) throw invalid(`${item} needs \`${name}\``);
    if (kind === 'flag') return false;
    return usual ?? null;
  }
  if (isFixed) throw invalid(`\`${name}\` is set by the object; a caller can't set it`);
  if (kind === 'json') {
    const text = JSON.stringify(given);
    if (text === undefined) throw invalid(`\`${name}\`: expected JSON, got ${typeof given}`);
    return JSON.parse(text);
  }
  if (kind === 'time' && (typeof given === 'string' || Number.isSafeInteger(given) || given instanceof Date)) return timeOf(name, given);
  if (!fits(kind, given)) throw invalid(`\`${name}\`: expected ${Array.isArray(kind) ? `one of ${kind.join(', ')}` : WANTED[kind]}, got ${shown(given)}`);
  if (name === 'id' && given === '') throw invalid('`id`: expected a text that is not empty');
  return given;
}

/** A new item of what a caller gave: every field, those that the object sets still null. */
export function complete(collection, given) {
  const { fields, item } = collection;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw invalid(`expected an object with the item's fields, got ${shown(given)}`);
  const unknown = Object.keys(given).find((name) => !fields.some((field) => field.name === name));
  if (unknown !== undefined) {
    const names = fields.filter(({ isFixed }) => !isFixed).map(({ name }) => name);
    const hint = names.includes('data') ? '; put your own fields into `data`' : '';
    throw invalid(`${item} has no field ${shown(unknown)}; its fields are ${names.join(', ')}${hint}`);
  }
  return Object.fromEntries(fields.map((field) => [field.name, valueOf(collection, field, given[field.name])]));
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** RFC 7396: null removes, an object goes into the object that is there, everything else replaces. */
export function merge(target, patch) {
  if (!isObject(patch)) return patch;
  const merged = isObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else if (value !== undefined) merged[name] = merge(merged[name], value);
  }
  return merged;
}

export const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** What a caller gave without the fields that can't be changed, which may be as they are: what was read can be given back. */
export function withoutFixed({ fields }, before, given) {
  const rest = { ...given };
  for (const { name, isFixed } of fields) {
    if (!(isFixed || name === 'id') || !(name in rest)) continue;
    if (!isSame(rest[name], before[name])) throw invalid(`\`${name}\`: expected ${shown(before[name])}, which a caller can't change, got ${shown(rest[name])}`);
    delete rest[name];
  }
  return rest;
}

/** The fields of an item that a caller may set. */
export const settable = ({ fields }, item) => Object.fromEntries(fields.filter(({ isFixed }) => !isFixed).map(({ name }) => [name, item[name]]));

/** `after` with the fields of `before` that the object sets. */
export function keepFixed({ fields }, before, after) {
  return Object.fromEntries(fields.map(({ name, isFixed }) => [name, isFixed ? before[name] : after[name]]));
}
