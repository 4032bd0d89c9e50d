// What a failed assertion throws.
import { inspect } from 'dotdo:node/util/inspect';

const shown = (value) => inspect(value, {
  compact: false, customInspect: false, depth: 1000, maxArrayLength: Infinity, showHidden: false, showProxy: false, sorted: true, getters: true,
  breakLength: Infinity,
});

const HEADS = {
  deepStrictEqual: 'Expected values to be strictly deep-equal:',
  strictEqual: 'Expected values to be strictly equal:',
  strictEqualObject: 'Expected "actual" to be reference-equal to "expected":',
  notDeepStrictEqual: 'Expected "actual" not to be strictly deep-equal to:',
  notStrictEqual: 'Expected "actual" to be strictly unequal to:',
  notStrictEqualObject: 'Expected "actual" not to be reference-equal to "expected":',
  notIdentical: 'Values identical but not reference-equal:',
};

/** The lines of both, and which of them only one has: by the longest common part. */
function difference(actual, expected) {
  const [one, other] = [actual.split('\n'), expected.split('\n')];
  const table = Array.from({ length: one.length + 1 }, () => new Uint16Array(other.length + 1));
  for (let at = one.length - 1; at >= 0; at--) {
    for (let to = other.length - 1; to >= 0; to--) {
      table[at][to] = one[at] === other[to] ? table[at + 1][to + 1] + 1 : Math.max(table[at + 1][to], table[at][to + 1]);
    }
  }
  const lines = [];
  let [at, to] = [0, 0];
  while (at < one.length || to < other.length) {
    if (at < one.length && to < other.length && one[at] === other[to]) {
      lines.push(`  ${one[at++]}`);
      to++;
    } else if (at < one.length && (to >= other.length || table[at + 1][to] >= table[at][to + 1])) lines.push(`+ ${one[at++]}`);
    else lines.push(`- ${other[to++]}`);
  }
  return lines.join('\n');
}

function compared(actual, expected, operator) {
  const [one, other] = [shown(actual), shown(expected)];
  const isPlain = (value) => (typeof value !== 'object' || value === null) && typeof value !== 'function';
  if (operator === 'strictEqual' && !isPlain(actual) && !isPlain(expected)) {
    if (one === other) return `${HEADS.notIdentical}\n\n${one}\n`;
    return `${HEADS.strictEqualObject}\n+ actual - expected\n\n${difference(one, other)}\n`;
  }
  const isShort = !one.includes('\n') && !other.includes('\n');
  if (isShort && isPlain(actual) && isPlain(expected) && one.length + other.length <= 12 && (actual !== 0 || expected !== 0)) return `${HEADS[operator]}\n\n${one} !== ${other}\n`;
  return `${HEADS[operator]}\n+ actual - expected\n\n${difference(one, other)}\n`;
}

function negated(actual, operator) {
  const head = operator === 'notStrictEqual' && ((typeof actual === 'object' && actual !== null) || typeof actual === 'function') ? HEADS.notStrictEqualObject : HEADS[operator];
  const text = shown(actual);
  return text.includes('\n') || text.length > 5 ? `${head}\n\n${text}\n` : `${head} ${text}`;
}

function messageOf(actual, expected, operator) {
  if (operator === 'deepStrictEqual' || operator === 'strictEqual') return compared(actual, expected, operator);
  if (operator === 'notDeepStrictEqual' || operator === 'notStrictEqual') return negated(actual, operator);
  const [one, other] = [shown(actual), shown(expected)];
  return `${one} ${operator} ${other}`;
}

export class AssertionError extends Error {
  constructor(options) {
    if (typeof options !== 'object' || options === null) {
      throw Object.assign(new TypeError(`The "options" argument must be of type object. Received ${options === undefined ? 'undefined' : inspect(options)}`), { code: 'ERR_INVALID_ARG_TYPE' });
    }
    const { message, operator, actual, expected } = options;
    super(message === undefined || message === null ? messageOf(actual, expected, operator) : String(message));
    this.generatedMessage = message === undefined || message === null;
    Object.defineProperty(this, 'name', { value: 'AssertionError', writable: true, configurable: true });
    Object.assign(this, { code: 'ERR_ASSERTION', actual, expected, operator });
  }

  toString() {
    return `${this.name} [${this.code}]: ${this.message}`;
  }
}
