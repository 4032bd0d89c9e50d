import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startServer } from 'dotdo/testing';

let server;
before(async () => { server = await startServer(); });
after(() => server.stop());

test('a counter counts the visits of its path', async () => {
  for (const count of [1, 2]) {
    const answer = await server.fetch('/tea', { method: 'POST' });
    assert.deepEqual(await answer.json(), { name: '/tea', count });
  }
  const other = await server.fetch('/milk');
  assert.deepEqual(await other.json(), { name: '/milk', count: 0 });
});
