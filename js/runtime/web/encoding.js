// `TextEncoder` and `TextDecoder`.
import { binary, encodeUtf8, host, view } from 'dotdo:host';

export class TextEncoder {
  get encoding() {
    return 'utf-8';
  }

  encode(text = '') {
    return encodeUtf8(text);
  }

  encodeInto(source, target) {
    if (!(target instanceof Uint8Array)) throw new TypeError("Failed to execute 'encodeInto' on 'TextEncoder': parameter 2 is not of type 'Uint8Array'.");
    const bytes = target;
    let [read, written] = [0, 0];
    for (const letter of String(source).toWellFormed()) {
      const encoded = encodeUtf8(letter);
      if (written + encoded.length > bytes.length) break;
      bytes.set(encoded, written);
      written += encoded.length;
      read += letter.length;
    }
    return { read, written };
  }
}

export class TextDecoder {
  #fatal;
  #ignoreBOM;
  /** The beginning of a character whose end has not come yet. */
  #rest = new Uint8Array();
  #begun = false;
  #encoding = 'utf-8';
  /** What decodes another encoding than UTF-8. */
  #other = null;

  constructor(label = 'utf-8', { fatal = false, ignoreBOM = false } = {}) {
    this.#fatal = Boolean(fatal);
    this.#ignoreBOM = Boolean(ignoreBOM);
    if (String(label).toLowerCase() === 'utf-8') return;
    const encoding = host.encoding(String(label).toWellFormed());
    if (!encoding || encoding === 'replacement') throw new RangeError(`"${label}" is not a valid encoding.`);
    this.#encoding = encoding;
    if (encoding !== 'utf-8') this.#other = host.decoder(encoding, this.#fatal, this.#ignoreBOM);
  }

  get encoding() {
    return this.#encoding;
  }

  get fatal() {
    return this.#fatal;
  }

  get ignoreBOM() {
    return this.#ignoreBOM;
  }

  decode(source = new Uint8Array(), options) {
    const bytes = view(source);
    if (!bytes) throw new TypeError('expected a buffer to decode');
    if (this.#other) {
      const text = this.#other(binary(bytes), !options?.stream);
      if (text === undefined) throw new TypeError('Failed to decode input.');
      return text;
    }
    let whole = bytes;
    if (this.#rest.length) {
      whole = new Uint8Array(this.#rest.length + bytes.length);
      whole.set(this.#rest);
      whole.set(bytes, this.#rest.length);
    }
    const end = options?.stream ? wholeCharacters(whole) : whole.length;
    this.#rest = whole.slice(end);
    // A mark of the byte order is one at the beginning only.
    const text = host.utf8Decode(binary(whole.subarray(0, end)), this.#fatal, this.#ignoreBOM || this.#begun);
    this.#begun = options?.stream ? this.#begun || end > 0 : false;
    if (text === undefined) {
      this.#rest = new Uint8Array();
      throw new TypeError('Failed to decode input.');
    }
    return text;
  }
}

/** How many of `bytes` come before a character of UTF-8 that is not whole. */
function wholeCharacters(bytes) {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back];
    if (byte < 0x80) break;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return length > back ? bytes.length - back : bytes.length;
    }
  }
  return bytes.length;
}
