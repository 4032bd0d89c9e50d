// The module `node:timers`.
import promises from 'node:timers/promises';

const { clearImmediate, clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } = globalThis;

export { clearImmediate, clearInterval, clearTimeout, promises, setImmediate, setInterval, setTimeout };
export default { promises, setTimeout, clearTimeout, setImmediate, clearImmediate, setInterval, clearInterval };
