// Bundles a project as wrangler does, so that the same packages give the same files.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { decorators } from './decorators.js';
import { provided, rules } from './modules.js';
import { relative } from './paths.js';

/** Where bundles are. It has files only: folders in a folder of state are tenants'. */
const folderOf = (project) => join(project.folder, '.dotdo/build');

/** Extensions of modules that run as they are. */
const SCRIPTS = ['.js', '.mjs'];

/** A bundle could not be made; the message has the places. */
export class BuildError extends Error {}

/** Notes what a bundle is made of. */
function recorder(seen) {
  return {
    name: 'recorder',
    resolveId(name, importer) {
      if (importer !== undefined && !/^\.{0,2}\//.test(name) && !name.startsWith('cloudflare:') && !name.startsWith('node:')) seen.packages.add(name);
    },
    moduleParsed({ id }) {
      if (!id.startsWith('\0')) seen.modules.add(id.split('?')[0]);
    },
  };
}

function optionsOf(project, mode) {
  const { alias = {}, define = {}, tsconfig, jsx_factory: factory, jsx_fragment: fragment } = project.settings;
  const environment = JSON.stringify(process.env.NODE_ENV || mode);
  const names = ['process.env.NODE_ENV', 'global.process.env.NODE_ENV', 'globalThis.process.env.NODE_ENV'];
  return {
    input: project.main,
    cwd: project.folder,
    platform: 'browser',
    logLevel: 'warn',
    moduleTypes: { '.js': 'jsx', '.mjs': 'jsx', '.cjs': 'jsx' },
    tsconfig: tsconfig === undefined ? true : resolve(project.folder, tsconfig),
    resolve: {
      conditionNames: ['workerd', 'worker', 'browser'],
      alias: Object.fromEntries(Object.entries(alias).map(([name, to]) => [name, to.startsWith('.') ? resolve(project.folder, to) : to])),
    },
    transform: {
      target: 'es2024',
      define: { ...Object.fromEntries(names.map((name) => [name, environment])), ...define },
      ...(factory || fragment ? { jsx: { runtime: 'classic', pragma: factory, pragmaFrag: fragment } } : {}),
    },
  };
}

/** A bundle: its text, the map of that, and what it is made of. `mode` is the NODE_ENV. */
async function made(project, mode) {
  const { rolldown } = await import('rolldown');
  const seen = { modules: new Set(), packages: new Set(), absent: [] };
  const folder = folderOf(project);
  let build;
  try {
    // A package that is not there would stay an import.
    const onLog = (_, log) => {
      if (log.code === 'UNRESOLVED_IMPORT') seen.absent.push(log);
    };
    build = await rolldown({ ...optionsOf(project, mode), onLog, plugins: [recorder(seen), provided, rules(project), decorators(project)] });
    const { output } = await build.generate({
      format: 'esm',
      dir: folder,
      entryFileNames: 'worker.js',
      codeSplitting: false,
      keepNames: project.settings.keep_names ?? true,
      minify: project.settings.minify === true,
      sourcemap: 'hidden',
      sourcemapPathTransform: (source) => relative(project.folder, resolve(folder, source)),
    });
    if (seen.absent.length) throw Object.assign(new Error('packages are absent'), { errors: seen.absent });
    const [chunk] = output;
    const { sourcesContent, ...map } = JSON.parse(chunk.map.toString());
    return { code: chunk.code, map: JSON.stringify(map), ...seen };
  } catch (error) {
    throw new BuildError(described(error, project));
  } finally {
    await build?.close();
  }
}

/** What is wrong, each with its file and line. */
function described(error, project) {
  const errors = error.errors?.length ? error.errors : [error];
  return errors.map(({ id, loc, message }) => {
    const file = loc?.file ?? id;
    const text = message.replace(/\u001b\[[0-9;]*m/g, '');
    if (!file) return text;
    const place = loc ? `:${loc.line}:${loc.column + 1}` : '';
    return `${relative(project.folder, resolve(project.folder, file))}${place}: ${text}`;
  }).join('\n');
}

/** Whether what was found runs as it is. */
const isWhole = ({ modules, packages }) => packages.size === 0 && [...modules].every((module) => SCRIPTS.includes(extname(module)));

/**
 * Bundles a project, if it needs that. Gives the file of the bundle, or none if the project runs as it
 * is, and its modules. `inOne`: the bundle has to be one file.
 */
export async function bundle(project, { mode = 'development', inOne = false } = {}) {
  if (project.settings.no_bundle) return { modules: [] };
  const { code, map, modules, packages } = await made(project, mode);
  const own = [...modules];
  if (isWhole({ modules, packages }) && !(inOne && own.length > 1)) return { modules: own };
  const hash = createHash('sha256').update(code).update(map).digest('hex').slice(0, 16);
  const file = join(folderOf(project), `worker-${hash}.js`);
  mkdirSync(dirname(file), { recursive: true });
  write(`${file}.map`, map);
  write(file, `${code.trimEnd()}\n//# sourceMappingURL=${basename(file)}.map\n`);
  return { file, modules: own };
}

function write(file, text) {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, text);
  renameSync(draft, file);
}

/** Removes all bundles of a project but `kept`. */
export function sweep(project, kept) {
  const folder = folderOf(project);
  let found = [];
  try {
    found = readdirSync(folder);
  } catch {
    // There are none.
  }
  for (const other of found) if (!kept || !other.startsWith(basename(kept))) rmSync(join(folder, other), { force: true });
}

/** What a server is started with besides its bundle, which may change without it. */
export function settingsOf(project) {
  const read = (file) => {
    try {
      return readFileSync(file, 'utf8');
    } catch {
      return '';
    }
  };
  return [project.config, join(project.folder, '.dev.vars')].filter(Boolean).map(read).join('\0');
}
