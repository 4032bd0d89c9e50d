// Texts with places for values, as `util.format` fills them.
import { checkInspectOptions, inspect, numberText } from 'dotdo:node/util/inspect';

const plain = { style: (text) => text };
const numeric = (value) => (typeof value === 'bigint' ? `${value}n` : numberText(plain, value));

/** Whether `value` is only shown by what the engine gives it. */
function hasOwnText(value) {
  if (typeof value.toString !== 'function') return false;
  if (Object.hasOwn(value, 'toString')) return true;
  for (let type = Object.getPrototypeOf(value); type !== null; type = Object.getPrototypeOf(type)) {
    if (!Object.hasOwn(type, 'toString')) continue;
    const maker = Object.getOwnPropertyDescriptor(type, 'constructor')?.value;
    return typeof maker !== 'function' || globalThis[maker.name] !== maker;
  }
  return false;
}

function asText(value, options) {
  if (typeof value === 'number' || typeof value === 'bigint') return numeric(value);
  if (typeof value !== 'object' || value === null || hasOwnText(value)) return String(value);
  return inspect(value, { ...options, depth: 0, colors: false, compact: 3 });
}

function asJson(value) {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (error instanceof TypeError && /circular/i.test(error.message)) return '[Circular]';
    throw error;
  }
}

function filled(letter, value, options) {
  switch (letter) {
    case 's': return asText(value, options);
    case 'j': return asJson(value);
    case 'd': return typeof value === 'bigint' ? numeric(value) : typeof value === 'symbol' ? 'NaN' : numeric(Number(value));
    case 'i': return typeof value === 'bigint' ? numeric(value) : typeof value === 'symbol' ? 'NaN' : numeric(parseInt(value, 10));
    case 'f': return typeof value === 'symbol' ? 'NaN' : numeric(parseFloat(value));
    case 'o': return inspect(value, { ...options, showHidden: true, showProxy: true, depth: 4 });
    case 'O': return inspect(value, options);
    default: return '';
  }
}

function formatted(options, values) {
  const [first, ...rest] = values;
  let text = '';
  let used = 0;
  if (typeof first === 'string') {
    if (rest.length === 0) return first;
    text = first.replace(/%([sdifjoOc%])/g, (whole, letter) => {
      if (letter === '%') return '%';
      return used < rest.length ? String(filled(letter, rest[used++], options)) : whole;
    });
  } else used = -1;
  const more = used < 0 ? values : rest.slice(used);
  const parts = more.map((value) => (typeof value === 'string' ? value : inspect(value, { ...options, compact: 3, colors: options?.colors ?? false, depth: options?.depth ?? 2 })));
  return (typeof first === 'string' ? [text, ...parts] : parts).join(' ');
}

export const format = (...values) => formatted(undefined, values);

export function formatWithOptions(options, ...values) {
  checkInspectOptions(options);
  return formatted(options, values);
}
