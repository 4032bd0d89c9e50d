// The module `node:module`: modules of Node by their names, at any time.
import { missing } from 'dotdo:host';
import { builtin, builtinModules } from 'dotdo:lazy';
import { checkString, coded } from 'dotdo:node/errors';

export const isBuiltin = (name) => typeof name === 'string' && builtin.has(name);

/** A function that gives what is here of Node's modules; all else has to be in the bundle. */
export function createRequire(path) {
  const text = path instanceof URL ? path.href : path;
  if (typeof text !== 'string' || !(text.startsWith('/') || text.startsWith('file:'))) {
    throw coded(TypeError, 'ERR_INVALID_ARG_VALUE', `The argument 'path' The argument must be a file URL object, a file URL string, or an absolute path string.. Received '${String(path)}'`);
  }
  return function require(name) {
    checkString(name, 'id');
    const found = builtin(name);
    if (found === undefined) throw new Error(`No such module "${name.replace(/^\.\//, '')}". A bundler puts modules into the bundle; of Node's there are ${builtinModules.join(', ')}`);
    return found;
  };
}

const absent = (name) => () => missing(`module.${name}`, 'a bundler resolves modules');
export const register = absent('register');
export const findSourceMap = () => undefined;
export const syncBuiltinESMExports = () => {};

export function Module() {
  missing('new Module', 'a bundler makes modules');
}
Object.assign(Module, { builtinModules, createRequire, findSourceMap, isBuiltin, Module, register, syncBuiltinESMExports });

export { builtinModules };
export default Module;
