// Paths and patterns of them.
import { relative as between } from 'node:path';

/** The path of a file from `folder` on, with `/`. */
export const relative = (folder, file) => between(folder, file).replaceAll('\\', '/');

/** Whether a path matches a glob with `**`, `*`, `{a,b}`; a question mark is itself, as in `?module`. */
export function matchesGlob(path, glob) {
  const source = glob.replace(/\*\*\/|\*\*|\*|\{[^}]*\}|[.+^$()|[\]\\?]/g, (part) => {
    if (part === '**/') return '(?:.*/)?';
    if (part === '**') return '.*';
    if (part === '*') return '[^/]*';
    if (part[0] === '{') return `(?:${part.slice(1, -1).split(',').map((name) => name.replace(/[.+^$()|[\]\\?*]/g, '\\$&')).join('|')})`;
    return `\\${part}`;
  });
  return new RegExp(`^${source}$`).test(path.replace(/^(\.\.\/)+/, ''));
}
