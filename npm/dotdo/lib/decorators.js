// Decorators of the language, as in `@callable() add() {}`. Neither the bundler nor the engine has them
// yet, so modules with them go through esbuild first, as all do with wrangler.
import { readFileSync } from 'node:fs';
import { extname, resolve } from 'node:path';

const MODULES = /\.[cm]?[jt]sx?$/;

/** Whether a project's decorators are those of TypeScript before the language had any, which the bundler knows. */
async function isLegacy({ settings, folder }, module) {
  if (settings.tsconfig === undefined) {
    const { resolveTsconfig } = await import('rolldown/experimental');
    return resolveTsconfig(module)?.tsconfig.compilerOptions?.experimentalDecorators === true;
  }
  try {
    return /"experimentalDecorators"\s*:\s*true/.test(readFileSync(resolve(folder, settings.tsconfig), 'utf8'));
  } catch {
    // The bundler says what is wrong with it.
    return true;
  }
}

/** Replaces the decorators of a project's own modules; packages come without. */
export const decorators = (project) => ({
  name: 'decorators',
  transform: {
    // An `@` in a text or a comment takes a millisecond, and changes nothing.
    filter: { id: { include: MODULES, exclude: /\/node_modules\// }, code: /@[\w$([]/ },
    async handler(code, id) {
      const path = id.split('?')[0];
      if (await isLegacy(project, path)) return undefined;
      const { transform } = await import('esbuild');
      const loader = extname(path).replace(/^\.[cm]?js$/, '.jsx').replace(/^\.[cm]ts$/, '.ts').slice(1);
      // What is left of types the bundler removes, so imports stay as they are.
      const tsconfigRaw = { compilerOptions: { verbatimModuleSyntax: true } };
      const options = { loader, jsx: 'preserve', target: 'es2024', sourcemap: 'external', sourcefile: path, logLevel: 'silent', tsconfigRaw };
      // The bundler says what is wrong with a module, as with all others.
      const made = await transform(code, options).catch(() => undefined);
      return made && { code: made.code, map: made.map };
    },
  },
});
