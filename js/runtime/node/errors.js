// Errors with codes, as Node throws them, and the checks that throw them.

/** A value in an error's text: short, and without looking into objects. */
export function brief(value) {
  switch (typeof value) {
    case 'string': {
      const text = value.length > 28 ? `${value.slice(0, 25)}...` : value;
      if (!text.includes("'")) return `'${text}'`;
      return text.includes('"') ? `\`${text}\`` : `"${text}"`;
    }
    case 'bigint': return `${value}n`;
    case 'number': return Object.is(value, -0) ? '-0' : String(value);
    case 'symbol': return value.toString();
    case 'function': return `[Function: ${value.name || '(anonymous)'}]`;
    case 'object': {
      if (value === null) return 'null';
      if (Array.isArray(value)) return value.length ? `[ ${value.map(brief).join(', ')} ]` : '[]';
      const name = value.constructor?.name ?? '[Object: null prototype]';
      return Object.keys(value).length === 0 && name === 'Object' ? '{}' : `[${name}]`;
    }
    default: return String(value);
  }
}

/** An error of `Type` with a code, whose text shows the code. */
export function coded(Type, code, message, more) {
  const error = new Type(message);
  error.code = code;
  Object.defineProperty(error, 'toString', {
    value() {
      return `${this.name} [${code}]: ${this.message}`;
    },
    configurable: true,
    writable: true,
  });
  return more ? Object.assign(error, more) : error;
}

function received(value) {
  if (value === undefined || value === null) return ` Received ${value}`;
  if (typeof value === 'function') return ` Received function ${value.name}`;
  if (typeof value === 'object') {
    return value.constructor?.name ? ` Received an instance of ${value.constructor.name}` : ' Received [Object: null prototype] {}';
  }
  return ` Received type ${typeof value} (${brief(value)})`;
}

const TYPES = ['string', 'function', 'number', 'object', 'boolean', 'bigint', 'symbol'];

const listed = (names) => (names.length > 2 ? `${names.slice(0, -1).join(', ')}, or ${names.at(-1)}` : names.join(' or '));

function expectation(expected) {
  const names = [expected].flat();
  const types = names.filter((name) => TYPES.includes(name));
  const classes = names.filter((name) => !TYPES.includes(name) && /^[A-Z]/.test(name));
  const others = names.filter((name) => !types.includes(name) && !classes.includes(name));
  const parts = [];
  if (types.length) parts.push(types.length > 1 ? `one of type ${listed(types)}` : `of type ${types[0]}`);
  if (classes.length) parts.push(`an instance of ${listed(classes)}`);
  if (others.length) parts.push(others.length > 1 ? `one of ${listed(others)}` : others[0] === others[0].toLowerCase() ? `an ${others[0]}`.replace(/^an (?![aeiou])/, 'a ') : others[0]);
  return parts.join(' or ');
}

export function invalidType(name, expected, value) {
  const what = name.endsWith(' argument') ? `The ${name}` : `The "${name}" ${name.includes('.') ? 'property' : 'argument'}`;
  return coded(TypeError, 'ERR_INVALID_ARG_TYPE', `${what} must be ${expectation(expected)}.${received(value)}`);
}

export function invalidValue(name, value, reason = 'is invalid', Type = TypeError) {
  return coded(Type, 'ERR_INVALID_ARG_VALUE', `The ${name.includes('.') ? 'property' : 'argument'} '${name}' ${reason}. Received ${brief(value)}`);
}

const grouped = (digits) => digits.replace(/(?<=\d)(?=(\d{3})+$)/g, '_');

export function outOfRange(name, range, value) {
  let shown = brief(value);
  if (Number.isInteger(value) && Math.abs(value) > 2 ** 32) shown = grouped(String(value));
  else if (typeof value === 'bigint') shown = value > 2n ** 32n || value < -(2n ** 32n) ? `${grouped(String(value))}n` : `${value}n`;
  return coded(RangeError, 'ERR_OUT_OF_RANGE', `The value of "${name}" is out of range. It must be ${range}. Received ${shown}`);
}

export const notImplemented = (name) => coded(Error, 'ERR_METHOD_NOT_IMPLEMENTED', `The ${name} method is not implemented`);

export function checkString(value, name) {
  if (typeof value !== 'string') throw invalidType(name, 'string', value);
}

export function checkFunction(value, name) {
  if (typeof value !== 'function') throw invalidType(name, 'function', value);
}

export function checkBoolean(value, name) {
  if (typeof value !== 'boolean') throw invalidType(name, 'boolean', value);
}

export function checkObject(value, name) {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw invalidType(name, 'object', value);
}

export function checkArray(value, name) {
  if (!Array.isArray(value)) throw invalidType(name, 'Array', value);
}

export function checkNumber(value, name, least, most) {
  if (typeof value !== 'number') throw invalidType(name, 'number', value);
  if ((least !== undefined && value < least) || (most !== undefined && value > most) || ((least !== undefined || most !== undefined) && Number.isNaN(value))) {
    const range = [least === undefined ? '' : `>= ${least}`, most === undefined ? '' : `<= ${most}`].filter(Boolean).join(' && ');
    throw outOfRange(name, range, value);
  }
}

export function checkInteger(value, name, least = Number.MIN_SAFE_INTEGER, most = Number.MAX_SAFE_INTEGER) {
  if (typeof value !== 'number') throw invalidType(name, 'number', value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < least || value > most) throw outOfRange(name, `>= ${least} && <= ${most}`, value);
}

export function checkSignal(signal, name) {
  if (signal !== undefined && (signal === null || typeof signal !== 'object' || !('aborted' in signal))) throw invalidType(name, 'AbortSignal', signal);
}

/** What is thrown when a signal gives up. */
export class AbortError extends Error {
  constructor(message = 'The operation was aborted', options = undefined) {
    super(message, options);
    this.code = 'ABORT_ERR';
    this.name = 'AbortError';
  }
}
