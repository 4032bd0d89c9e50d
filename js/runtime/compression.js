// `CompressionStream` and `DecompressionStream`. Rust does the work, in small parts.
import { binary, encodeUtf8, host, view } from 'dotdo:host';
import { TransformStream } from 'dotdo:streams';

const DEFLATING = { gzip: 'gzip', deflate: 'deflate', 'deflate-raw': 'deflate-raw' };
const INFLATING = { gzip: 'gunzip', deflate: 'inflate', 'deflate-raw': 'inflate-raw' };
const LEVEL = 6;
const WINDOW = 15;

function bytesOf(chunk) {
  const bytes = typeof chunk === 'string' ? encodeUtf8(chunk) : view(chunk);
  if (!bytes) throw new TypeError(`expected bytes or a string as a chunk, got ${typeof chunk}`);
  return bytes;
}

function coderOf(formats, format) {
  const kind = Object.hasOwn(formats, format) ? formats[format] : undefined;
  if (!kind) throw new TypeError("The compression format must be either 'deflate', 'deflate-raw' or 'gzip'.");
  return host.coder(kind, [LEVEL, WINDOW], '');
}

/** Gives what there is for now. */
function drain(coder, controller) {
  for (let part = coder.read(); part; part = coder.read()) controller.enqueue(new Uint8Array(part));
}

/** Bytes, made smaller. */
export class CompressionStream extends TransformStream {
  constructor(format) {
    const coder = coderOf(DEFLATING, format);
    super({
      transform(chunk, controller) {
        coder.write(binary(bytesOf(chunk)), 'none');
        drain(coder, controller);
      },
      flush(controller) {
        coder.write('', 'finish');
        drain(coder, controller);
        coder.close();
      },
      cancel: () => coder.close(),
    });
  }

  get [Symbol.toStringTag]() { return 'CompressionStream'; }
}

/** What they were. */
export class DecompressionStream extends TransformStream {
  constructor(format) {
    const coder = coderOf(INFLATING, format);
    const failed = (message) => {
      coder.close();
      throw new TypeError(message);
    };
    const inflate = (bytes, controller) => {
      if (bytes.length && coder.isEnded()) failed('Trailing bytes after end of compressed data');
      coder.write(binary(bytes), 'none');
      let part;
      do {
        try {
          part = coder.read();
        } catch (error) {
          if (error?.name === 'InternalError') throw error;
          failed('Decompression failed.');
        }
        if (part) controller.enqueue(new Uint8Array(part));
      } while (part);
      if (coder.isEnded() && coder.left()) failed('Trailing bytes after end of compressed data');
    };
    super({
      transform: (chunk, controller) => inflate(bytesOf(chunk), controller),
      flush() {
        if (!coder.isEnded()) failed('Called close() on a decompression stream with incomplete data');
        coder.close();
      },
      cancel: () => coder.close(),
    });
  }

  get [Symbol.toStringTag]() { return 'DecompressionStream'; }
}
