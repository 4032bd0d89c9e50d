// What a part of a URL's pattern is made of, as https://urlpattern.spec.whatwg.org says: tokens, parts,
// and the regular expression and the text of parts.

const FULL = '.*';
const IDENTIFIER_START = /[$_\p{ID_Start}]/u;
const IDENTIFIER_PART = /[$_\u200c\u200d\p{ID_Continue}]/u;
const SIMPLE = { '{': 'open', '}': 'close', '*': 'asterisk', '?': 'modifier', '+': 'modifier' };

const refuse = (message) => {
  throw new TypeError(message);
};

/** The end of a regular expression in brackets that begins at `at`; 0 if it is none. */
function regexpEnd(letters, at) {
  let depth = 1;
  for (let next = at + 1; next < letters.length; next++) {
    const letter = letters[next];
    if (letter.codePointAt(0) > 0x7f || (next === at + 1 && letter === '?')) return 0;
    if (letter === '\\') {
      next += 1;
      if (next >= letters.length || letters[next].codePointAt(0) > 0x7f) return 0;
    } else if (letter === ')') {
      depth -= 1;
      if (depth === 0) return next > at + 1 ? next + 1 : 0;
    } else if (letter === '(') {
      depth += 1;
      if (letters[next + 1] !== '?') return 0;
    }
  }
  return 0;
}

/** The tokens of a text; what is wrong throws, or is a token of its own. */
export function tokensOf(text, isLenient) {
  const letters = Array.from(text);
  const tokens = [];
  const add = (type, at, end, value = letters.slice(at, end).join('')) => tokens.push({ type, at, end, value });
  const wrong = (at) => (isLenient ? add('invalid', at, at + 1) : refuse('Failed to construct URLPattern'));
  for (let at = 0; at < letters.length; at = tokens.at(-1).end) {
    const letter = letters[at];
    if (SIMPLE[letter]) {
      add(SIMPLE[letter], at, at + 1);
    } else if (letter === '\\') {
      if (at + 1 < letters.length) add('escaped', at, at + 2, letters[at + 1]);
      else wrong(at);
    } else if (letter === ':') {
      let end = at + 1;
      while (end < letters.length && (end === at + 1 ? IDENTIFIER_START : IDENTIFIER_PART).test(letters[end])) end += 1;
      if (end > at + 1) add('name', at, end, letters.slice(at + 1, end).join(''));
      else wrong(at);
    } else if (letter === '(') {
      const end = regexpEnd(letters, at);
      if (end) add('regexp', at, end, letters.slice(at + 1, end - 1).join(''));
      else wrong(at);
    } else {
      add('char', at, at + 1);
    }
  }
  add('end', letters.length, letters.length, '');
  return tokens;
}

const escapeRegexp = (text) => text.replace(/[.+*?^${}()[\]|/\\]/g, '\\$&');
export const escapePattern = (text) => text.replace(/[+*?:{}()\\]/g, '\\$&');
const segment = ({ delimiter }) => `[^${escapeRegexp(delimiter)}]+?`;

/** Makes parts of tokens. */
class Parser {
  #tokens;
  #at = 0;
  #options;
  #encode;
  #pending = '';
  #count = 0;
  parts = [];

  constructor(text, options, encode) {
    this.#tokens = tokensOf(text, false);
    this.#options = options;
    this.#encode = encode;
  }

  #take(...types) {
    return types.includes(this.#tokens[this.#at].type) ? this.#tokens[this.#at++] : null;
  }

  #need(type) {
    return this.#take(type) ?? refuse('Failed to construct URLPattern');
  }

  #text() {
    let text = '';
    for (let token = this.#take('char', 'escaped'); token; token = this.#take('char', 'escaped')) text += token.value;
    return text;
  }

  #wild(name) {
    return this.#take('regexp') ?? (name ? null : this.#take('asterisk'));
  }

  #modifier() {
    return this.#take('modifier', 'asterisk')?.value ?? '';
  }

  #flush() {
    if (this.#pending) this.parts.push({ type: 'fixed', value: this.#encode(this.#pending), modifier: '', prefix: '', suffix: '', name: '' });
    this.#pending = '';
  }

  #add({ prefix, name, wild, suffix, modifier }) {
    if (!name && !wild && !modifier) {
      this.#pending += prefix;
      return;
    }
    this.#flush();
    if (!name && !wild) {
      if (prefix) this.parts.push({ type: 'fixed', value: this.#encode(prefix), modifier, prefix: '', suffix: '', name: '' });
      return;
    }
    let value = wild ? (wild.type === 'asterisk' ? FULL : wild.value) : segment(this.#options);
    let type = 'regexp';
    if (value === segment(this.#options)) [type, value] = ['segment', ''];
    else if (value === FULL) [type, value] = ['full', ''];
    const label = name ? name.value : String(this.#count++);
    if (this.parts.some((part) => part.type !== 'fixed' && part.name === label)) refuse('Failed to construct URLPattern');
    this.parts.push({ type, value, modifier, name: label, prefix: this.#encode(prefix), suffix: this.#encode(suffix) });
  }

  parse() {
    while (this.#at < this.#tokens.length) {
      const char = this.#take('char');
      const name = this.#take('name');
      const wild = this.#wild(name);
      if (name || wild) {
        let prefix = char?.value ?? '';
        if (prefix && prefix !== this.#options.prefix) {
          this.#pending += prefix;
          prefix = '';
        }
        this.#flush();
        this.#add({ prefix, name, wild, suffix: '', modifier: this.#modifier() });
        continue;
      }
      const fixed = char ?? this.#take('escaped');
      if (fixed) {
        this.#pending += fixed.value;
        continue;
      }
      if (this.#take('open')) {
        this.#group();
        continue;
      }
      this.#flush();
      this.#need('end');
    }
    return this.parts;
  }

  #group() {
    const prefix = this.#text();
    const name = this.#take('name');
    const wild = this.#wild(name);
    const suffix = this.#text();
    this.#need('close');
    this.#add({ prefix, name, wild, suffix, modifier: this.#modifier() });
  }
}

function regexpOf(parts, options) {
  return parts.map((part) => {
    const { type, value, modifier } = part;
    if (type === 'fixed') return modifier ? `(?:${escapeRegexp(value)})${modifier}` : escapeRegexp(value);
    const inner = { segment: segment(options), full: FULL }[type] ?? value;
    const [prefix, suffix] = [escapeRegexp(part.prefix), escapeRegexp(part.suffix)];
    const isOnce = modifier === '' || modifier === '?';
    if (!prefix && !suffix) return isOnce ? `(${inner})${modifier}` : `((?:${inner})${modifier})`;
    if (isOnce) return `(?:${prefix}(${inner})${suffix})${modifier}`;
    return `(?:${prefix}((?:${inner})(?:${suffix}${prefix}(?:${inner}))*)${suffix})${modifier === '*' ? '?' : ''}`;
  }).join('');
}

const isNamed = (part) => !/^\d/.test(part.name);

function isGrouped(part, before, after, options) {
  const { type, modifier, prefix, suffix } = part;
  if (suffix || (prefix && prefix !== options.prefix)) return true;
  if (isNamed(part) && type === 'segment' && !modifier && after && !after.prefix && !after.suffix) {
    if (after.type === 'fixed' ? IDENTIFIER_PART.test(Array.from(after.value)[0] ?? '') : !isNamed(after)) return true;
  }
  return !prefix && before?.type === 'fixed' && options.prefix !== '' && before.value.endsWith(options.prefix);
}

function textOf(parts, options) {
  return parts.map((part, at) => {
    const { type, value, modifier, prefix, suffix } = part;
    if (type === 'fixed') return modifier ? `{${escapePattern(value)}}${modifier}` : escapePattern(value);
    const before = parts[at - 1];
    const grouped = isGrouped(part, before, parts[at + 1], options);
    let text = escapePattern(prefix);
    if (isNamed(part)) text += `:${part.name}`;
    if (type === 'regexp') text += `(${value})`;
    else if (type === 'segment' && !isNamed(part)) text += `(${segment(options)})`;
    else if (type === 'full') text += !isNamed(part) && (!before || before.type === 'fixed' || before.modifier || grouped || prefix) ? '*' : '(.*)';
    if (type === 'segment' && isNamed(part) && suffix && IDENTIFIER_PART.test(Array.from(suffix)[0])) text += '\\';
    text += escapePattern(suffix);
    return (grouped ? `{${text}}` : text) + modifier;
  }).join('');
}

/** With sets of characters (`v`), or, if the engine does not take it so, without (`u`). */
function regexpFrom(text, flags) {
  for (const kind of ['v', 'u']) {
    try {
      return new RegExp(text, kind + flags);
    } catch {
      continue;
    }
  }
  return refuse('Failed to construct URLPattern');
}

/** A compiled component. */
export function compile(text, options, encode, ignoresCase) {
  const parts = new Parser(text, options, encode).parse();
  return {
    regexp: regexpFrom(`^(?:${regexpOf(parts, options)})$`, ignoresCase ? 'i' : ''),
    names: parts.filter((part) => part.type !== 'fixed').map((part) => part.name),
    text: textOf(parts, options),
    hasRegexp: parts.some((part) => part.type === 'regexp'),
  };
}
