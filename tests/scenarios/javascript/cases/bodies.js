// Bodies that are streamed between objects, the worker and clients, case by case.
import { DurableObject } from 'cloudflare:workers';

const encode = (text) => new TextEncoder().encode(text);
const decode = (bytes) => new TextDecoder().decode(bytes);

/** A stream of these texts, with a wait before each. */
const ticking = (texts, end = (controller) => controller.close()) => {
  const left = [...texts];
  return new ReadableStream({
    async pull(controller) {
      await scheduler.wait(1);
      if (left.length) controller.enqueue(encode(left.shift()));
      else end(controller);
    },
  });
};

const nameOf = async (work) => {
  try {
    return await work();
  } catch (error) {
    return `threw ${error.name}`;
  }
};

/** What the object serves, by path. */
const paths = {
  '/whole': () => new Response('whole'),
  '/ticks': () => new Response(ticking(['one ', 'two ', 'three']), { status: 201, headers: { 'x-kind': 'ticks' } }),
  '/at-once': () => new Response(new ReadableStream({
    start(controller) {
      for (const text of ['a', 'b', 'c']) controller.enqueue(encode(text));
      controller.close();
    },
  })),
  '/large': () => {
    let left = 40;
    return new Response(new ReadableStream({
      pull(controller) {
        if (left-- > 0) controller.enqueue(new Uint8Array(50_000).fill(left));
        else controller.close();
      },
    }));
  },
  '/none': () => new Response(new ReadableStream({ start: (controller) => controller.close() })),
  '/through': () => {
    const { readable, writable } = new TransformStream();
    ticking(['in ', 'and out']).pipeTo(writable);
    return new Response(readable);
  },
  '/broken': () => new Response(ticking(['begun '], (controller) => controller.error(new Error('on purpose')))),
  '/text': () => new Response(new ReadableStream({
    start(controller) {
      controller.enqueue('no bytes');
      controller.close();
    },
  })),
  '/written': (ctx) => {
    const { readable, writable } = new TransformStream();
    const writer = writable.getWriter();
    const write = async () => {
      for (let count = 1; count <= 3; count++) {
        await ctx.storage.put('count', count);
        await writer.write(encode(`${count} `));
        await scheduler.wait(1);
      }
      await writer.close();
    };
    ctx.waitUntil(write());
    return new Response(readable);
  },
  '/endless': (ctx, object) => {
    let timer;
    return new Response(new ReadableStream({
      start(controller) {
        timer = setInterval(() => controller.enqueue(encode('on and on ')), 1);
      },
      cancel() {
        clearInterval(timer);
        object.isCanceled = true;
      },
    }));
  },
};

const cases = {
  async passes_on_what_an_object_streams(stub) {
    return stub.fetch('https://example.com/ticks');
  },
  async passes_on_the_stream_alone(stub) {
    const { body, headers } = await stub.fetch('https://example.com/ticks');
    return new Response(body, { headers: { 'x-was': headers.get('x-kind') } });
  },
  async reads_all_of_a_stream(stub) {
    const response = await stub.fetch('https://example.com/ticks');
    return [response.status, response.headers.get('x-kind'), await response.text(), response.bodyUsed];
  },
  async reads_piece_by_piece(stub) {
    const { body } = await stub.fetch('https://example.com/ticks');
    let text = '';
    for await (const piece of body) text += decode(piece);
    return text;
  },
  async reads_by_a_reader(stub) {
    const reader = (await stub.fetch('https://example.com/ticks')).body.getReader();
    const first = await reader.read();
    return [first.done, first.value instanceof Uint8Array, decode(first.value).startsWith('one')];
  },
  async reads_what_came_at_once(stub) {
    return (await stub.fetch('https://example.com/at-once')).text();
  },
  async reads_what_is_large(stub) {
    const bytes = await (await stub.fetch('https://example.com/large')).bytes();
    return [bytes.length, bytes[0], bytes.at(-1)];
  },
  async counts_what_is_large(stub) {
    let length = 0;
    for await (const piece of (await stub.fetch('https://example.com/large')).body) length += piece.length;
    return length;
  },
  async reads_what_has_nothing(stub) {
    return (await stub.fetch('https://example.com/none')).text();
  },
  async reads_what_goes_through(stub) {
    return (await stub.fetch('https://example.com/through')).text();
  },
  async reads_what_is_written_meanwhile(stub) {
    const text = await (await stub.fetch('https://example.com/written')).text();
    return [text, await stub.count()];
  },
  async reads_what_breaks(stub) {
    const response = await stub.fetch('https://example.com/broken');
    return [response.status, (await nameOf(() => response.text())).startsWith('threw')];
  },
  async reads_a_copy(stub) {
    const response = await stub.fetch('https://example.com/ticks');
    const copy = response.clone();
    return Promise.all([response.text(), copy.text()]);
  },
  async reads_both_branches(stub) {
    const [one, other] = (await stub.fetch('https://example.com/ticks')).body.tee();
    return Promise.all([new Response(one).text(), new Response(other).text()]);
  },
  async reads_it_twice(stub) {
    const response = await stub.fetch('https://example.com/ticks');
    return [await response.text(), await nameOf(() => response.text())];
  },
  async reads_as_text_stream(stub) {
    let text = '';
    const { body } = await stub.fetch('https://example.com/ticks');
    for await (const piece of body.pipeThrough(new TextDecoderStream())) text += piece.toUpperCase();
    return text;
  },
  async cancels_what_never_ends(stub) {
    const reader = (await stub.fetch('https://example.com/endless')).body.getReader();
    await reader.read();
    await reader.cancel();
    for (let tries = 0; tries < 500; tries++) {
      if (await stub.wasCanceled()) return 'canceled';
      await scheduler.wait(10);
    }
    return 'not canceled';
  },
  async sends_what_it_streams(stub) {
    return new Response(ticking(['of ', 'the ', 'worker']));
  },
  async sends_what_was_changed_on_the_way(stub) {
    const { body } = await stub.fetch('https://example.com/ticks');
    const upper = new TransformStream({ transform: (chunk, controller) => controller.enqueue(encode(decode(chunk).toUpperCase())) });
    return new Response(body.pipeThrough(upper));
  },
  async sends_a_stream_as_a_request(stub) {
    const response = await stub.fetch('https://example.com/mirror', { method: 'POST', body: ticking(['sent ', 'by ', 'pieces']) });
    return response.json();
  },
  async an_object_reads_what_another_streams(stub) {
    return stub.readFrom('other', '/ticks');
  },
  async an_object_passes_on_what_another_streams(stub) {
    return (await stub.fetch('https://example.com/other')).text();
  },
  async a_method_returns_a_response(stub) {
    const response = await stub.respond(201, 'made');
    return [response instanceof Response, response.status, response.headers.get('x-by'), await response.text()];
  },
  async a_method_returns_an_empty_response(stub) {
    const response = await stub.respond(204, null);
    return [response.status, response.body, await response.text()];
  },
  async a_method_returns_what_has_a_response(stub) {
    const { name, response, more } = await stub.respondWithin();
    return [name, await response.json(), more.length, await more[0].text(), more[1]];
  },
  async a_method_takes_a_request(stub) {
    return stub.describe(new Request('https://example.com/a?b=c', { method: 'PATCH', headers: { 'x-a': 'b' }, body: 'sent' }));
  },
  async a_method_takes_and_returns_headers(stub) {
    const headers = await stub.addTo(new Headers([['x-a', 'b'], ['set-cookie', 'one'], ['set-cookie', 'two']]));
    return [headers instanceof Headers, [...headers], headers.getSetCookie()];
  },
  async a_method_takes_and_returns_a_stream(stub) {
    const stream = await stub.upper(ticking(['loud', ' and ', 'clear']));
    return [stream instanceof ReadableStream, await new Response(stream).text()];
  },
  async a_response_that_was_read_is_not_returned(stub) {
    return nameOf(() => stub.respondTwice());
  },
  async calls_with_bodies_keep_their_order(stub) {
    const calls = [stub.note('one'), stub.describe(new Request('https://example.com/', { method: 'POST', body: 'x' })), stub.note('two'), stub.note('three')];
    await Promise.all(calls);
    return stub.noted();
  },
  async streams_side_by_side(stub) {
    const texts = await Promise.all([1, 2, 3].map(async () => (await stub.fetch('https://example.com/ticks')).text()));
    return texts;
  },
};

export class Cases extends DurableObject {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === '/mirror') return Response.json([request.method, await request.text()]);
    if (pathname === '/other') return this.env.CASES.getByName('another').fetch('https://example.com/through');
    return paths[pathname](this.ctx, this);
  }

  respond(status, body) {
    return new Response(body, { status, headers: { 'x-by': 'method' } });
  }

  respondWithin() {
    return { name: 'within', response: Response.json({ a: [1] }), more: [new Response('more'), 7] };
  }

  async respondTwice() {
    const response = new Response('once');
    await response.text();
    return response;
  }

  async describe(request) {
    return [request instanceof Request, request.method, request.url, request.headers.get('x-a'), await request.text()];
  }

  addTo(headers) {
    headers.append('x-a', 'c');
    return headers;
  }

  upper(stream) {
    return stream.pipeThrough(new TransformStream({ transform: (chunk, controller) => controller.enqueue(encode(decode(chunk).toUpperCase())) }));
  }

  note(text) {
    this.notes = [...(this.notes ?? []), text];
  }

  noted() {
    return this.notes;
  }

  count() {
    return this.ctx.storage.get('count');
  }

  wasCanceled() {
    return this.isCanceled ?? false;
  }

  async readFrom(name, path) {
    const response = await this.env.CASES.getByName(name).fetch(`https://example.com${path}`);
    return [response.status, await response.text()];
  }
}

export default {
  async fetch(request, env) {
    const name = new URL(request.url).pathname.split('/').at(-1);
    if (name === 'names') return Response.json(Object.keys(cases));
    if (!cases[name]) return new Response(`no case: ${name}`, { status: 404 });
    try {
      const value = await cases[name](env.CASES.getByName(name));
      if (!(value instanceof Response)) return Response.json({ value });
      // The harness reads JSON: what a response streams is its text.
      return new Response(value.body.pipeThrough(new TransformStream({
        start: (controller) => controller.enqueue(encode(`{"status":${value.status},"was":${JSON.stringify(value.headers.get('x-was'))},"text":"`)),
        flush: (controller) => controller.enqueue(encode('"}')),
      })));
    } catch (error) {
      return Response.json({ error: error.name, message: error.message });
    }
  },
};
