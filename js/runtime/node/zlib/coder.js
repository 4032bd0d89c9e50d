// The work of `node:zlib`: what options say, the coder in Rust, and errors with zlib's codes.
import { Buffer } from 'node:buffer';
import { binary, host } from 'dotdo:host';
import { checkInteger, coded, invalidType } from 'dotdo:node/errors';
import { constants } from 'dotdo:node/zlib/constants';

const DEFLATING = ['deflate', 'gzip', 'deflate-raw'];
const LEVEL = 6;

/** The bytes of what is to be coded. */
export function bytesOf(value) {
  if (typeof value === 'string') return Buffer.from(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  throw invalidType('buffer', ['string', 'Buffer', 'TypedArray', 'DataView', 'ArrayBuffer'], value);
}

export function failed(message, name) {
  const errno = constants[name];
  return Object.assign(new Error(message), { code: name, ...(errno === undefined ? {} : { errno }) });
}

/** The numbers of zlib's options, checked. */
function numbersOf(options) {
  const number = (name, least, most, usual) => {
    const value = options?.[name];
    if (value === undefined || Number.isNaN(value)) return usual;
    if (typeof value !== 'number') throw invalidType(`options.${name}`, 'number', value);
    if (!(value >= least && value <= most)) throw coded(RangeError, 'ERR_OUT_OF_RANGE', `The value of "options.${name}" is out of range. It must be >= ${least} and <= ${most}. Received ${value}`);
    return value;
  };
  number('strategy', 0, 4, 0);
  number('memLevel', 1, 9, 8);
  number('chunkSize', 64, Infinity, 16384);
  number('flush', 0, 5, 0);
  number('finishFlush', 0, 5, 4);
  const level = number('level', -1, 9, -1);
  return [level < 0 ? LEVEL : level, number('windowBits', options?.windowBits === 0 ? 0 : 8, 15, 15) || 15];
}

function brotliNumbers(options) {
  const { params = {} } = options ?? {};
  for (const [name, value] of Object.entries(params)) {
    if (!(Number(name) >= 0 && Number(name) <= 9)) throw coded(RangeError, 'ERR_BROTLI_INVALID_PARAM', `${name} is not a valid Brotli parameter`);
    if (typeof value !== 'number' && typeof value !== 'boolean') throw invalidType('options.params[key]', 'number', value);
  }
  const { BROTLI_PARAM_QUALITY: quality, BROTLI_PARAM_LGWIN: window, BROTLI_PARAM_MODE: mode, BROTLI_PARAM_SIZE_HINT: size } = constants;
  const number = (name, usual) => Number(params[name] ?? usual) >>> 0;
  return [number(quality, 11), number(window, 22), number(mode, 0), number(size, 0)];
}

/** One coder of a kind: `deflate`, `gzip`, `deflate-raw`, `inflate`, `gunzip`, `inflate-raw`, `unzip`, `brotli` or `unbrotli`. */
export class Coder {
  #kind;
  #settings;
  #dictionary;
  #coder = null;
  /** The first bytes, until they tell what they are. */
  #first = null;
  #isOver = false;
  written = 0;

  constructor(kind, options) {
    this.#kind = kind;
    this.#settings = kind.endsWith('brotli') ? brotliNumbers(options) : numbersOf(options);
    this.#dictionary = options?.dictionary === undefined ? '' : binary(bytesOf(options.dictionary));
    if (options?.maxOutputLength !== undefined) checkInteger(options.maxOutputLength, 'options.maxOutputLength', 1);
    if (kind === 'unzip') this.#first = Buffer.alloc(0);
    else this.#open(kind);
  }

  #open(kind) {
    this.#kind = kind;
    this.#coder = host.coder(kind, this.#settings, this.#dictionary);
  }

  get isDeflating() { return DEFLATING.includes(this.#kind) || this.#kind === 'brotli'; }
  get isOver() { return this.#isOver; }

  reset() {
    this.close();
    this.#isOver = false;
    this.#open(this.#kind);
  }

  close() {
    this.#coder?.close();
  }

  #read() {
    try {
      return this.#coder.read();
    } catch (error) {
      if (error?.name === 'InternalError') throw error;
      this.close();
      if (this.#kind === 'unbrotli') throw failed('Decompression failed', 'ERR__ERROR_FORMAT_PADDING_1');
      throw failed(error.message, error.message === 'Missing dictionary' ? 'Z_NEED_DICT' : 'Z_DATA_ERROR');
    }
  }

  /** Gives what becomes of some bytes to `give`. */
  push(bytes, flush, give) {
    let input = bytes;
    if (this.#first) {
      input = Buffer.concat([this.#first, bytes]);
      this.#first = input;
      if (input.length < 2 && !(input.length === 1 && input[0] !== 0x1f) && flush !== 'finish') return;
      this.#first = null;
      this.#open(input[0] === 0x1f && (input.length < 2 || input[1] === 0x8b) ? 'gunzip' : 'inflate');
    }
    this.written += bytes.length;
    // What comes after the end is nothing, unless it is a further member of gzip.
    if (this.#isOver && !this.#next(input)) return;
    this.#coder.write(binary(input), flush);
    for (;;) {
      for (let part = this.#read(); part; part = this.#read()) give(Buffer.from(part));
      if (!this.#coder.isEnded()) return;
      const left = this.#coder.left();
      this.#isOver = true;
      if (!left || !this.#next(input.subarray(input.length - left))) return;
      this.#coder.write(binary(input.subarray(input.length - left)), flush);
    }
  }

  /** Begins a further member of gzip, if these bytes are one. */
  #next(bytes) {
    if (this.#kind !== 'gunzip' || this.isDeflating || !bytes.length || bytes[0] === 0) return false;
    if (bytes[0] !== 0x1f) throw failed('incorrect header check', 'Z_DATA_ERROR');
    this.reset();
    return true;
  }

  /** What is to come has come. */
  finish(give, isPartial) {
    this.push(Buffer.alloc(0), isPartial ? 'sync' : 'finish', give);
    const isEnded = this.isDeflating || this.#isOver || isPartial || (this.#kind === 'unzip');
    this.close();
    if (!isEnded) throw failed('unexpected end of file', 'Z_BUF_ERROR');
  }
}

/** All at once. */
export function runSync(kind, value, options) {
  const bytes = bytesOf(value);
  const coder = new Coder(kind, options);
  const most = options?.maxOutputLength ?? Infinity;
  const parts = [];
  let length = 0;
  const give = (part) => {
    length += part.length;
    if (length > most) {
      coder.close();
      throw coded(RangeError, 'ERR_BUFFER_TOO_LARGE', `Cannot create a Buffer larger than ${most} bytes`);
    }
    parts.push(part);
  };
  coder.push(bytes, 'none', give);
  coder.finish(give, !coder.isDeflating && options?.finishFlush !== undefined && options.finishFlush !== constants.Z_FINISH);
  return Buffer.concat(parts);
}
