// Bodies that are read or sent piece by piece: those of answers from outside, and those of responses
// whose stream goes on after its slice.
import { binary, host, view } from 'dotdo:host';
import { answerOf, cancel, nextOperation, owner, whenSliceEnds } from 'dotdo:operations';
import { streams } from 'dotdo:lazy';

/** How many bytes of a response may be on their way before its stream waits. */
const QUEUED_MAX = 256 * 1024;

/** Streams of bodies from outside: their numbers, and whose they are. */
const fromOutside = new WeakMap();

/** The body of the answer `number`, which is read from outside when somebody reads it. */
export function streamFrom(number) {
  const stream = streams().streamBy({
    async pull(it) {
      const piece = await answerOf((id) => host.piece(id, number));
      if (piece) it.enqueue(piece);
      else it.close();
    },
    cancel: () => host.drop(number),
  });
  fromOutside.set(stream, { number, owner });
  return stream;
}

/** Streams of responses whose heads have not left. */
const leaving = new Set();

// What of a response's stream is not there yet comes in later slices.
whenSliceEnds.push(() => {
  for (const sending of leaving) sending.leave();
});

/** What the end of an event says of its response's stream, and the bytes that are there. */
export function send(stream) {
  const known = fromOutside.get(stream);
  if (known?.owner === owner && !stream.locked && !streams().isDisturbed(stream)) {
    stream.getReader();
    return [{ passes: known.number }, null];
  }
  return new Sending(stream).head;
}

class Sending {
  #number = nextOperation();
  #reader;
  #parts = [];
  #queued = 0;
  #hasLeft = false;
  #watch;
  #settle;
  head = new Promise((resolve, reject) => { this.#settle = { resolve, reject }; });

  constructor(stream) {
    this.#reader = stream.getReader();
    leaving.add(this);
    this.#run().then(() => this.#end(), (error) => this.#end(error));
  }

  async #run() {
    for (let next = await this.#reader.read(); !next.done; next = await this.#reader.read()) {
      const bytes = view(next.value);
      if (!bytes) {
        const error = new TypeError(`expected bytes (an ArrayBuffer or a view of one) as a chunk of a response, got ${typeof next.value === 'string' ? 'a string: encode it by TextEncoder' : typeof next.value}`);
        this.#reader.cancel(error).catch(() => {});
        throw error;
      }
      if (this.#hasLeft) host.send(this.#number, binary(bytes));
      else this.#parts.push(bytes.slice());
      this.#queued += bytes.length;
      if (this.#queued < QUEUED_MAX) continue;
      this.leave();
      this.#queued = 0;
      await answerOf((id) => host.room(id, this.#number));
    }
  }

  /** The head of the response leaves, with what there is of its body. */
  leave() {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    leaving.delete(this);
    const gone = answerOf((id) => {
      this.#watch = id;
      host.gone(id, this.#number);
    });
    gone.then(() => this.#reader.cancel(new Error('The client is gone.'))).catch(() => {});
    this.#settle.resolve([{ stream: this.#number }, joined(this.#parts)]);
  }

  #end(error) {
    leaving.delete(this);
    if (!this.#hasLeft) {
      if (error === undefined) this.#settle.resolve([{}, joined(this.#parts)]);
      else this.#settle.reject(error);
      return;
    }
    cancel(this.#watch);
    if (error !== undefined) host.log('error', `a response was broken off: ${error?.stack ? `${error}\n${error.stack}` : error}`.toWellFormed());
    host.finish(this.#number, error === undefined ? null : 'its stream has failed');
  }
}

function joined(parts) {
  if (parts.length === 1) return parts[0];
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
