// `crypto.DigestStream`: the digest of what is written to it; Cloudflare's own.
import { binary, encodeUtf8, host, view } from 'dotdo:host';
import { hashOf } from 'dotdo:crypto/keys';
import { WritableStream } from 'dotdo:streams';

export class DigestStream extends WritableStream {
  #digest;
  #written = 0n;

  constructor(algorithm) {
    const hasher = host.hasher(hashOf(algorithm));
    const { promise, resolve, reject } = Promise.withResolvers();
    promise.catch(() => {});
    super({
      write: (chunk) => {
        const bytes = typeof chunk === 'string' ? encodeUtf8(chunk) : view(chunk);
        if (!bytes) throw new TypeError('DigestStream is a byte stream but received an object of non-ArrayBuffer/ArrayBufferView/string type on its writable side.');
        hasher.update(binary(bytes));
        this.#written += BigInt(bytes.length);
      },
      close: () => resolve(hasher.digest()),
      abort: reject,
    });
    this.#digest = promise;
  }

  get digest() { return this.#digest; }
  get bytesWritten() { return this.#written; }
  get [Symbol.toStringTag]() { return 'DigestStream'; }
}
