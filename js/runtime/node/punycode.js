// The module `node:punycode`: names of domains in letters of ASCII (RFC 3492).

const BASE = 36;
const [LEAST, MOST, SKEW, DAMP] = [1, 26, 38, 700];

const failed = (text) => new RangeError(text);
const OVERFLOW = 'Overflow: input needs wider integers to process';
const NOT_BASIC = 'Illegal input >= 0x80 (not a basic code point)';
const INVALID = 'Invalid input';

function adapted(delta, count, isFirst) {
  let rest = Math.floor(delta / (isFirst ? DAMP : 2));
  rest += Math.floor(rest / count);
  let turns = 0;
  for (; rest > 455; turns += BASE) rest = Math.floor(rest / (BASE - LEAST));
  return turns + Math.floor((36 * rest) / (rest + SKEW));
}

const threshold = (at, bias) => Math.min(Math.max(at - bias, LEAST), MOST);
const digitOf = (value) => String.fromCharCode(value < 26 ? value + 97 : value + 22);

function valueOf(letter) {
  if (/[0-9]/.test(letter)) return letter.charCodeAt(0) - 22;
  return /[a-zA-Z]/.test(letter) ? letter.toLowerCase().charCodeAt(0) - 97 : BASE;
}

export const ucs2 = {
  decode: (text) => {
    const points = [];
    for (let at = 0; at < text.length; at++) {
      const point = text.codePointAt(at);
      points.push(point);
      if (point > 0xffff) at++;
    }
    return points;
  },
  encode: (points) => String.fromCodePoint(...points),
};

export function decode(text) {
  const basic = Math.max(text.lastIndexOf('-'), 0);
  const points = [];
  for (const letter of text.slice(0, basic)) {
    if (letter.charCodeAt(0) >= 0x80) throw failed(NOT_BASIC);
    points.push(letter.charCodeAt(0));
  }
  let [point, place, bias] = [128, 0, 72];
  for (let at = basic > 0 ? basic + 1 : 0; at < text.length;) {
    const before = place;
    for (let weight = 1, step = BASE; ; step += BASE) {
      if (at >= text.length) throw failed(INVALID);
      const digit = valueOf(text[at++]);
      if (digit >= BASE) throw failed(INVALID);
      if (digit > Math.floor((2 ** 31 - 1 - place) / weight)) throw failed(OVERFLOW);
      place += digit * weight;
      const least = threshold(step, bias);
      if (digit < least) break;
      if (weight > Math.floor((2 ** 31 - 1) / (BASE - least))) throw failed(OVERFLOW);
      weight *= BASE - least;
    }
    const count = points.length + 1;
    bias = adapted(place - before, count, before === 0);
    if (Math.floor(place / count) > 2 ** 31 - 1 - point) throw failed(OVERFLOW);
    point += Math.floor(place / count);
    place %= count;
    points.splice(place++, 0, point);
  }
  return String.fromCodePoint(...points);
}

export function encode(text) {
  const points = ucs2.decode(text);
  const letters = points.filter((point) => point < 0x80).map((point) => String.fromCodePoint(point));
  const basic = letters.length;
  if (basic) letters.push('-');
  let [point, delta, bias, done] = [128, 0, 72, basic];
  while (done < points.length) {
    const next = Math.min(...points.filter((one) => one >= point));
    if (next - point > Math.floor((2 ** 31 - 1 - delta) / (done + 1))) throw failed(OVERFLOW);
    delta += (next - point) * (done + 1);
    point = next;
    for (const one of points) {
      if (one < point && ++delta > 2 ** 31 - 1) throw failed(OVERFLOW);
      if (one !== point) continue;
      let rest = delta;
      for (let step = BASE; ; step += BASE) {
        const least = threshold(step, bias);
        if (rest < least) break;
        letters.push(digitOf(least + ((rest - least) % (BASE - least))));
        rest = Math.floor((rest - least) / (BASE - least));
      }
      letters.push(digitOf(rest));
      bias = adapted(delta, done + 1, done === basic);
      delta = 0;
      done++;
    }
    delta++;
    point++;
  }
  return letters.join('');
}

/** Each label of a domain, of which an address of mail has one. */
function labels(text, work) {
  const at = text.indexOf('@');
  const before = at < 0 ? '' : text.slice(0, at + 1);
  const domain = at < 0 ? text : text.slice(text.lastIndexOf('@') + 1);
  return before + domain.replace(/[\u3002\uff0e\uff61]/g, '.').split('.').map(work).join('.');
}

export const toUnicode = (text) => labels(text, (label) => (label.startsWith('xn--') ? decode(label.slice(4).toLowerCase()) : label));
export const toASCII = (text) => labels(text, (label) => (/[^\0-\x7f]/.test(label) ? `xn--${encode(label)}` : label));
export const version = '2.1.0';

export default { version, ucs2, decode, encode, toASCII, toUnicode };
