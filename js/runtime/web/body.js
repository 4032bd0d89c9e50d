// What requests and responses have in common: a body, which is read at once unless somebody asks for its stream.
import { binary, encodeUtf8, host, view } from 'dotdo:host';
import { fillType } from 'dotdo:web/headers';
import { cryptography, forms, isBlob, isForm, isParams, isStream, streams } from 'dotdo:lazy';

const NOTHING = {};
const TEXT = 'text/plain;charset=UTF-8';

/** What a body is made of: its bytes, or a text that stands for them, or a stream of them; and the content type that it implies. */
function contentOf(body) {
  if (body === undefined || body === null) return NOTHING;
  if (typeof body === 'string') return { bytes: body.toWellFormed(), type: TEXT };
  if (isStream(body)) {
    if (body.locked || streams().isDisturbed(body)) throw new TypeError(READ_BEFORE);
    return { stream: body };
  }
  if (isParams(body)) return { bytes: encodeUtf8(body), type: 'application/x-www-form-urlencoded;charset=UTF-8' };
  if (isBlob(body)) return { bytes: forms().bytesOf(body), type: body.type };
  if (isForm(body)) {
    const boundary = `----dotdo${cryptography().crypto.randomUUID().replaceAll('-', '')}`;
    return { bytes: forms().encodeForm(body, boundary), type: `multipart/form-data; boundary=${boundary}` };
  }
  const bytes = view(body);
  if (bytes) return { bytes: bytes.slice() };
  return { bytes: String(body).toWellFormed(), type: TEXT };
}

const READ_BEFORE = 'Body has already been used. It can only be used once. Use tee() first if you need to read it twice.';

export class Body {
  /** Its bytes, until somebody asks for its stream; a text, until somebody asks for its bytes. */
  #bytes;
  #stream;
  #used = false;

  _fill(body, headers) {
    const { bytes, stream, type } = contentOf(body);
    this.#bytes = bytes;
    this.#stream = stream;
    if (type) fillType(headers, type);
  }

  #encoded() {
    if (typeof this.#bytes === 'string') this.#bytes = encodeUtf8(this.#bytes);
    return this.#bytes;
  }

  get _isEmpty() {
    return this.#bytes === undefined && this.#stream === undefined;
  }

  get body() {
    if (this.#stream === undefined && this.#bytes !== undefined) {
      this.#stream = streams().streamOf(this.#encoded());
      this.#bytes = undefined;
      // Who has read it by now gets a stream that has ended.
      if (this.#used) this.#stream.cancel();
    }
    return this.#stream ?? null;
  }

  get bodyUsed() {
    return this.#used || (this.#stream !== undefined && streams().isDisturbed(this.#stream));
  }

  #unused() {
    if (this.bodyUsed || this.#stream?.locked) throw new TypeError(READ_BEFORE);
  }

  /** The same body for another owner; this one has none any more. */
  _take() {
    this.#encoded();
    return this._send();
  }

  /** The same for Rust, which takes texts, too. */
  _send() {
    this.#unused();
    const taken = this.#stream ?? this.#bytes ?? null;
    this.#used = taken !== null;
    return taken;
  }

  _copy() {
    this.#unused();
    if (this.#stream === undefined) return this.#encoded()?.slice() ?? null;
    const [own, copy] = this.#stream.tee();
    this.#stream = own;
    return copy;
  }

  async bytes() {
    this.#unused();
    if (this._isEmpty) return new Uint8Array();
    this.#used = true;
    return this.#stream === undefined ? this.#encoded() : streams().readAll(this.#stream);
  }

  async arrayBuffer() {
    return (await this.bytes()).slice().buffer;
  }

  async text() {
    if (typeof this.#bytes === 'string') {
      this.#unused();
      this.#used = true;
      return this.#bytes.replace(/^\ufeff/, '');
    }
    return host.utf8Decode(binary(await this.bytes()), false, false);
  }

  async json() {
    return JSON.parse(await this.text());
  }

  async blob() {
    return new (forms().Blob)([await this.bytes()], { type: this.headers.get('content-type') ?? '' });
  }

  async formData() {
    return forms().decodeForm(await this.bytes(), this.headers.get('content-type') ?? '');
  }
}
