// What the worker's `queue` is given.

/** What was decided of each message and batch, the first word of each. */
const fates = new WeakMap();

const decide = (of, fate) => {
  if (!fates.has(of)) fates.set(of, fate);
};

export class Message {
  constructor({ id, timestamp, body, attempts }) {
    this.id = id;
    this.timestamp = timestamp;
    this.body = body;
    this.attempts = attempts;
  }

  ack() {
    decide(this, { retries: false });
  }

  retry(options) {
    decide(this, { retries: true, delay: options?.delaySeconds });
  }
}

export class Batch {
  constructor(queue, messages) {
    this.queue = queue;
    this.messages = messages;
  }

  ackAll() {
    decide(this, { retries: false });
  }

  retryAll(options) {
    decide(this, { retries: true, delay: options?.delaySeconds });
  }

  /** Whether the message at `at` comes again. `hasFailed`: the handler has thrown. */
  fateOf(at, hasFailed) {
    const own = fates.get(this.messages[at]);
    if (own) return own;
    const whole = fates.get(this);
    return hasFailed ? { retries: true, delay: whole?.delay } : (whole ?? { retries: false });
  }
}

Object.defineProperty(Message.prototype, Symbol.toStringTag, { value: 'QueueMessage' });
Object.defineProperty(Batch.prototype, Symbol.toStringTag, { value: 'MessageBatch' });
