// `node:zlib`: at once, with a callback, and as streams.
import { Transform } from 'node:stream';
import { absent, binary, host } from 'dotdo:host';
import { checkFunction } from 'dotdo:node/errors';
import { bytesOf, Coder, runSync } from 'dotdo:node/zlib/coder';
import { codes, constants } from 'dotdo:node/zlib/constants';

const FLUSHES = { [constants.Z_NO_FLUSH]: 'none', [constants.Z_FULL_FLUSH]: 'full', [constants.Z_FINISH]: 'finish' };

/** A stream of a coder. */
class ZlibBase extends Transform {
  #coder;
  #flush;
  #isPartial;

  constructor(kind, options) {
    super({ ...options, decodeStrings: true, objectMode: false });
    this.#coder = new Coder(kind, options);
    this.#flush = options?.flush;
    this.#isPartial = !this.#coder.isDeflating && options?.finishFlush !== undefined && options.finishFlush !== constants.Z_FINISH;
  }

  get bytesWritten() { return this.#coder.written; }
  get _closed() { return this.destroyed; }

  _transform(chunk, encoding, callback) {
    try {
      this.#coder.push(chunk, FLUSHES[this.#flush ?? 0] ?? 'sync', (part) => this.push(part));
    } catch (error) {
      callback(error);
      return;
    }
    callback();
  }

  _flush(callback) {
    try {
      this.#coder.finish((part) => this.push(part), this.#isPartial);
    } catch (error) {
      callback(error);
      return;
    }
    callback();
  }

  _destroy(error, callback) {
    this.#coder.close();
    callback(error);
  }

  flush(kind, callback) {
    if (typeof kind === 'function') [kind, callback] = [undefined, kind];
    const run = () => {
      try {
        this.#coder.push(new Uint8Array(), FLUSHES[kind ?? constants.Z_FULL_FLUSH] ?? 'sync', (part) => this.push(part));
      } catch (error) {
        this.destroy(error);
      }
      callback?.();
    };
    if (this.writableLength) this.once('drain', run);
    else queueMicrotask(run);
  }

  reset() {
    this.#coder.reset();
  }

  close(callback) {
    if (callback) this.once('close', callback);
    this.destroy();
  }
}

/** A class that may be called without `new`, as old code does. */
function classOf(name, kind) {
  const Type = { [name]: class extends ZlibBase {
    constructor(options) {
      super(kind, options);
    }
  } }[name];
  return new Proxy(Type, { apply: (target, self, parameters) => new Type(...parameters) });
}

export const Deflate = classOf('Deflate', 'deflate');
export const Inflate = classOf('Inflate', 'inflate');
export const Gzip = classOf('Gzip', 'gzip');
export const Gunzip = classOf('Gunzip', 'gunzip');
export const DeflateRaw = classOf('DeflateRaw', 'deflate-raw');
export const InflateRaw = classOf('InflateRaw', 'inflate-raw');
export const Unzip = classOf('Unzip', 'unzip');
export const BrotliCompress = classOf('BrotliCompress', 'brotli');
export const BrotliDecompress = classOf('BrotliDecompress', 'unbrotli');

export const createDeflate = (options) => new Deflate(options);
export const createInflate = (options) => new Inflate(options);
export const createGzip = (options) => new Gzip(options);
export const createGunzip = (options) => new Gunzip(options);
export const createDeflateRaw = (options) => new DeflateRaw(options);
export const createInflateRaw = (options) => new InflateRaw(options);
export const createUnzip = (options) => new Unzip(options);
export const createBrotliCompress = (options) => new BrotliCompress(options);
export const createBrotliDecompress = (options) => new BrotliDecompress(options);

const sync = (kind) => (buffer, options) => runSync(kind, buffer, options);

function calling(kind) {
  return (buffer, options, callback) => {
    if (typeof options === 'function') [options, callback] = [undefined, options];
    checkFunction(callback, 'callback');
    bytesOf(buffer);
    queueMicrotask(() => {
      let made;
      try {
        made = runSync(kind, buffer, options);
      } catch (error) {
        callback(error);
        return;
      }
      callback(null, made);
    });
  };
}

export const deflateSync = sync('deflate');
export const inflateSync = sync('inflate');
export const gzipSync = sync('gzip');
export const gunzipSync = sync('gunzip');
export const deflateRawSync = sync('deflate-raw');
export const inflateRawSync = sync('inflate-raw');
export const unzipSync = sync('unzip');
export const brotliCompressSync = sync('brotli');
export const brotliDecompressSync = sync('unbrotli');
export const deflate = calling('deflate');
export const inflate = calling('inflate');
export const gzip = calling('gzip');
export const gunzip = calling('gunzip');
export const deflateRaw = calling('deflate-raw');
export const inflateRaw = calling('inflate-raw');
export const unzip = calling('unzip');
export const brotliCompress = calling('brotli');
export const brotliDecompress = calling('unbrotli');

export const crc32 = (value, before = 0) => host.crc32(binary(bytesOf(value)), before >>> 0);

const zstd = (name) => () => { throw new Error(absent(`zlib.${name}`, 'gzip, deflate and brotli are')); };
export const zstdCompress = zstd('zstdCompress');
export const zstdCompressSync = zstd('zstdCompressSync');
export const zstdDecompress = zstd('zstdDecompress');
export const zstdDecompressSync = zstd('zstdDecompressSync');
export const createZstdCompress = zstd('createZstdCompress');
export const createZstdDecompress = zstd('createZstdDecompress');

export { codes, constants };
export default {
  ...constants, BrotliCompress, brotliCompress, brotliCompressSync, BrotliDecompress, brotliDecompress, brotliDecompressSync, codes, constants, crc32,
  createBrotliCompress, createBrotliDecompress, createDeflate, createDeflateRaw, createGunzip, createGzip, createInflate, createInflateRaw,
  createUnzip, createZstdCompress, createZstdDecompress, Deflate, deflate, DeflateRaw, deflateRaw, deflateRawSync, deflateSync, Gunzip, gunzip,
  gunzipSync, Gzip, gzip, gzipSync, Inflate, inflate, InflateRaw, inflateRaw, inflateRawSync, inflateSync, Unzip, unzip, unzipSync, zstdCompress,
  zstdCompressSync, zstdDecompress, zstdDecompressSync,
};
