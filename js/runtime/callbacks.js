// Calls of the worker that pass functions and objects of `RpcTarget`: a request is no object that could be
// called, so the object's response is a stream of what it calls back, one JSON a line, and at last of its
// result. Each answer is a call of that object.
import { host } from 'dotdo:host';
import { described, errorOf } from 'dotdo:errors';
import { streams } from 'dotdo:lazy';
import { use } from 'dotdo:members';
import { Response } from 'dotdo:web';

/** Nobody can guess it, so only who was given it can use it. */
export const newToken = () => Array.from(new Uint8Array(host.random(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');

/** What the worker has given to one call, by numbers. */
export class Given {
  #targets = [];

  /** What stands for `target`. */
  give(target) {
    const known = this.#targets.indexOf(target);
    return { $: 'callback', v: known < 0 ? this.#targets.push(target) - 1 : known };
  }

  get isEmpty() {
    return this.#targets.length === 0;
  }

  /** The end of the call, whose response is `response`. `answer` sends an answer to what is called back. */
  async finish(response, answer, { decode, encode }) {
    const serve = async ({ conversation, number, of, values, ...member }) => {
      let told;
      try {
        told = { text: await encode(await use(this.#targets[of], member, decode(values))) };
      } catch (error) {
        told = { error: described(error) };
      }
      await answer(JSON.stringify({ conversation, number, ...told }));
    };
    for await (const { call, error, text } of lines(response.body)) {
      // If the object has ended meanwhile, the end of the stream says so.
      if (call) serve(call).catch(() => {});
      else if (error) throw errorOf(error);
      else return decode(text);
    }
    throw new Error('The object has ended before its method did.');
  }
}

async function* lines(body) {
  let rest = '';
  for await (const piece of body.pipeThrough(new (streams().TextDecoderStream)())) {
    const parts = (rest + piece).split('\n');
    rest = parts.pop();
    for (const part of parts) yield JSON.parse(part);
  }
}

/** What an object may call back while one of its methods runs. */
export class Conversation {
  token = newToken();
  #controller;
  #waiting = new Map();
  #count = 0;
  #ended = null;
  #stream = new (streams().ReadableStream)({
    start: (controller) => { this.#controller = controller; },
    cancel: () => this.#end(new Error('The caller is gone.')),
  });

  /** The response that goes on until `work` has ended. `encode` is for its result. */
  response(work, encode, done) {
    const run = async () => ({ text: await encode(await work()) });
    run().catch((error) => ({ error: described(error) })).then((last) => {
      done();
      if (this.#ended) return;
      this.#tell(last);
      this.#controller.close();
      this.#end(new Error('The stub is of a call that has ended: functions and objects of the worker can be called while the method runs.'));
    });
    return new Response(this.#stream);
  }

  /** Calls or reads a member of what was given. */
  call(of, member, values) {
    return new Promise((resolve, reject) => {
      if (this.#ended) throw this.#ended;
      const number = ++this.#count;
      this.#waiting.set(number, { resolve, reject });
      this.#tell({ call: { conversation: this.token, number, of, ...member, values } });
    });
  }

  answer({ number, text, error }, decode) {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    if (error) waiting?.reject(errorOf(error));
    else waiting?.resolve(decode(text));
  }

  #tell(line) {
    this.#controller.enqueue(new TextEncoder().encode(`${JSON.stringify(line)}\n`));
  }

  #end(error) {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
  }
}
