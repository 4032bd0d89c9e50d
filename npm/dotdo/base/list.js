// A page of a collection.
import { THINGS, columnOf, shown, timeOf } from './fields.js';
import { invalid } from './errors.js';

const LIMIT_USUAL = 100;
const LIMIT_MAX = 1000;

/** Only the newest row of each thing on each branch counts, unless it marks the thing as deleted. */
const CURRENT = 't."deleted" = 0 AND t.rowid = (SELECT max(n.rowid) FROM things AS n WHERE n."id" = t."id" AND n."branch" = t."branch")';

/** `a.b` as SQLite writes paths: `$."a"."b"`. */
function pathOf(dotted) {
  const keys = dotted.split('.');
  if (keys.some((key) => key === '' || /["\\\0]/.test(key))) throw invalid(`${shown(dotted)} is no path: expected keys without quotes and backslashes, with dots between`);
  return `$${keys.map((key) => `."${key}"`).join('')}`;
}

/** The condition that a field, or a path into its JSON, has a value. */
function condition({ item, fields }, name, value) {
  const [first, ...path] = name.split('.');
  const field = fields.find((field) => field.name === first && (path.length === 0 || field.kind === 'json'));
  if (!field) throw invalid(`${item} has no field ${shown(name)} for a condition; the fields are ${fields.map(({ name, kind }) => (kind === 'json' ? `${name}, ${name}.…` : name)).join(', ')}`);
  const column = `t.${columnOf(field)}`;
  if (field.kind === 'json') {
    const place = path.length ? pathOf(path.join('.')) : '$';
    if (value === null) return [`coalesce(${column} -> ?, 'null') = 'null'`, [place]];
    return [`(${column} -> ?) = ?`, [place, JSON.stringify(value)]];
  }
  if (value === null) return [`${column} IS NULL`, []];
  if (field.kind === 'time') return [`${column} = ?`, [timeOf(name, value)]];
  return [`${column} = ?`, [typeof value === 'boolean' ? Number(value) : value]];
}

function after(collection, cursor) {
  try {
    const [one, other] = JSON.parse(cursor);
    return collection === THINGS ? ['(t."id", t."branch") > (?, ?)', [one, other]] : ['t.rowid > ?', [one]];
  } catch {
    throw invalid(`\`after\`: expected the \`next\` of a page, got ${shown(cursor)}`);
  }
}

/** The items that `options` ask for, and where the next page begins, if there is one. */
export function page(tables, collection, options = {}) {
  const { limit = LIMIT_USUAL, after: cursor, where = {}, ...equal } = options;
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX) throw invalid(`\`limit\`: expected a number from 1 to ${LIMIT_MAX}, got ${shown(limit)}`);
  const filters = [[collection === THINGS ? CURRENT : 'true', []]];
  for (const [name, value] of [...Object.entries(equal), ...Object.entries(where)]) {
    if (value !== undefined) filters.push(condition(collection, name, value));
  }
  if (cursor !== undefined) filters.push(after(collection, cursor));
  const order = collection === THINGS ? 't."id", t."branch"' : 't.rowid';
  const filter = `${filters.map(([text]) => text).join(' AND ')} ORDER BY ${order} LIMIT ?`;
  const rows = tables.select(collection, filter, [...filters.flatMap(([, values]) => values), limit + 1]);
  const found = rows.slice(0, limit);
  const last = found.at(-1);
  const items = found.map(({ item }) => item);
  if (rows.length <= limit) return { items };
  return { items, next: JSON.stringify(collection === THINGS ? [last.item.id, last.item.branch] : [last.rowid]) };
}
