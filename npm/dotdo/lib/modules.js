// Modules that are no code: texts, data, and what has to stay an import.
import { readFile } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import { matchesGlob, relative } from './paths.js';

/** As wrangler has them. */
const DEFAULTS = [
  { type: 'Text', globs: ['**/*.txt', '**/*.html', '**/*.sql'] },
  { type: 'Data', globs: ['**/*.bin'] },
  { type: 'CompiledWasm', globs: ['**/*.wasm', '**/*.wasm?module'] },
];

/** The rules of a configuration; one without `fallthrough` ends those of its type. */
function rulesOf({ rules = [] }) {
  const ended = new Set();
  return [...rules, ...DEFAULTS].filter(({ type, fallthrough }) => {
    if (ended.has(type)) return false;
    if (!fallthrough) ended.add(type);
    return true;
  });
}

const text = (bytes) => `export default ${JSON.stringify(bytes.toString('utf8'))};`;
const data = (bytes) => `export default Uint8Array.from(atob(${JSON.stringify(bytes.toString('base64'))}), (letter) => letter.charCodeAt(0)).buffer;`;

/** Texts and data, by the rules of a configuration. */
export function rules(project) {
  const found = rulesOf(project.settings);
  return {
    name: 'rules',
    async load(id) {
      const path = id.split('?')[0];
      const name = relative(project.folder, id);
      const rule = found.find(({ globs }) => globs.some((glob) => matchesGlob(name, glob)));
      switch (rule?.type) {
        case 'Text': return { code: text(await readFile(path)), moduleType: 'js' };
        case 'Data': return { code: data(await readFile(path)), moduleType: 'js' };
        case 'CompiledWasm': return this.error(`${name}: dotdo has no WebAssembly; use a package, or an entry of it, without`);
      }
    },
  };
}

const builtins = new Set(builtinModules.filter((name) => !name.startsWith('_')));

/** What the runtime has stays an import, and Node's modules have their full names. */
export const provided = {
  name: 'provided',
  resolveId(name) {
    if (name.startsWith('cloudflare:') || name.startsWith('node:')) return { id: name, external: true };
    if (builtins.has(name)) return { id: `node:${name}`, external: true };
  },
};
