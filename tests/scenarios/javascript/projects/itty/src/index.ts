import { createDurable, withDurables } from 'itty-durable';
import { AutoRouter, cors, error, json, status, withContent, withParams } from 'itty-router';

export class Counter extends createDurable({ autoReturn: true, autoPersist: true }) {
  constructor(state: DurableObjectState, env: unknown) {
    super(state, env);
    this.counter = 0;
    this.notes = [];
  }

  increment() {
    this.counter++;
  }

  add(one: number, other: number) {
    return one + other;
  }

  note(text: string) {
    this.notes.push(text);
    return new Response(`noted: ${text}`, { status: 201, headers: { 'x-notes': String(this.notes.length) } });
  }

  fail() {
    throw new Error('no more counting');
  }
}

const { preflight, corsify } = cors({ origin: ['https://example.com'] });
const router = AutoRouter({ before: [preflight], finally: [corsify] });

router
  .all('*', withDurables())
  .get('/hello/:name', withParams, ({ name }) => `Hello ${name}!`)
  .get('/json/:n+', ({ params, query }) => ({ params, query }))
  .post('/content', withContent, ({ content }) => json({ content }))
  .get('/status/:code', ({ params }) => status(Number(params.code)))
  .get('/error', () => error(418, { error: 'teapot', is: 'short' }))
  .get('/throw', () => { throw new Error('thrown'); })
  .get('/counters/:name', ({ Counter, name }) => Counter.get(name).toJSON())
  .get('/counters/:name/increment', ({ Counter, name }) => Counter.get(name).increment())
  .get('/counters/:name/add/:one/:other', ({ Counter, name, one, other }) => Counter.get(name).add(Number(one), Number(other)))
  .get('/counters/:name/note/:text', ({ Counter, name, text }) => Counter.get(name).note(text))
  .get('/counters/:name/fail', ({ Counter, name }) => Counter.get(name).fail())
  .get('/counters/:name/absent', ({ Counter, name }) => Counter.get(name).absent())
  .get('/counters/:name/reset', ({ Counter, name }) => Counter.get(name).reset());

export default router;
