// `env.QUEUE`: the producer of a queue.
import { binary, encodeUtf8, view } from 'dotdo:host';
import { encode } from 'dotdo:clone';
import { ask } from 'dotdo:bindings/ask';

const MESSAGE_BYTES_MAX = 128_000;
const BATCH_BYTES_MAX = 256_000;
const BATCH_MAX = 100;
const DELAY_SECONDS_MAX = 43_200;

function encoded(body, type) {
  const kind = (wanted) => new TypeError(`Content Type "${type}" requires a value of type ${wanted}, but received: ${typeof body}`);
  switch (type) {
    case 'json': {
      const text = JSON.stringify(body);
      if (text === undefined) throw new Error(`expected a message that JSON has, got a ${typeof body}`);
      return { text, size: encodeUtf8(text).length };
    }
    case 'text':
      if (typeof body !== 'string') throw kind('string');
      return { text: body, size: encodeUtf8(body).length };
    case 'bytes': {
      const bytes = view(body);
      if (!bytes) throw kind('ArrayBufferView');
      return { text: btoa(binary(bytes)), size: bytes.length };
    }
    case 'v8': {
      const text = encode(body);
      return { text, size: text.length };
    }
    default:
      throw new TypeError(`Unsupported queue message content type: ${type}`);
  }
}

function delayOf(seconds) {
  if (seconds === undefined) return undefined;
  if (!(seconds >= 0 && seconds <= DELAY_SECONDS_MAX)) throw new Error(`expected delaySeconds from 0 to ${DELAY_SECONDS_MAX}, got ${seconds}`);
  return Math.trunc(seconds);
}

function messageOf({ body, contentType, delaySeconds }) {
  if (body === undefined) throw new TypeError('Message body cannot be undefined');
  const type = contentType ?? 'json';
  const message = { type, ...encoded(body, type), delay: delayOf(delaySeconds) };
  if (message.size > MESSAGE_BYTES_MAX) throw new Error(`expected a message of at most ${MESSAGE_BYTES_MAX} bytes, got ${message.size}`);
  return message;
}

export class WorkerQueue {
  #object;
  #delay;

  constructor({ queue, delay }) {
    this.#object = { class: 'dotdo_queue', object: queue };
    this.#delay = delay;
  }

  async #send(messages, delay) {
    const size = messages.reduce((sum, message) => sum + message.size, 0);
    if (size > BATCH_BYTES_MAX) throw new Error(`expected messages of at most ${BATCH_BYTES_MAX} bytes together, got ${size}`);
    await ask(this.#object, 'send', { messages, delay: delay ?? this.#delay });
  }

  async send(body, options) {
    if (arguments.length === 0) throw new TypeError("Failed to execute 'send' on 'WorkerQueue': parameter 1 is not of type 'JsValue'.");
    await this.#send([messageOf({ ...options, body })]);
  }

  async sendBatch(given, options) {
    if (typeof given?.[Symbol.iterator] !== 'function') throw new TypeError("Failed to execute 'sendBatch' on 'WorkerQueue': parameter 1 is not of type 'Sequence'.");
    const messages = [...given].map(messageOf);
    if (!messages.length) throw new TypeError('sendBatch() requires at least one message');
    if (messages.length > BATCH_MAX) throw new Error(`expected at most ${BATCH_MAX} messages, got ${messages.length}`);
    await this.#send(messages, delayOf(options?.delaySeconds));
  }

  get [Symbol.toStringTag]() {
    return 'WorkerQueue';
  }
}
