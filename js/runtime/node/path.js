// The module `node:path`: paths of Unix, and those of Windows in `win32`.
import posix from 'node:path/posix';

export const { basename, delimiter, dirname, extname, format, isAbsolute, join, matchesGlob, normalize, parse, relative, resolve, sep, toNamespacedPath, win32 } = posix;
export { posix };
export default posix;
