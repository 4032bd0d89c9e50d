export default async function (world, tell) {
  const steps = ['/hello/ada', '/json/a/b/c?x=1&x=2&y=', '/status/204', '/status/404', '/error', '/throw', '/nowhere',
    '/counters/one', '/counters/one/increment', '/counters/one/increment?again', '/counters/one/add/20/3', '/counters/one/note/first', '/counters/one/fail', '/counters/one/absent', '/counters/one?before'];
  for (const path of steps) tell(path, await world.ask(path));
  tell('content', await world.ask('/content', { json: { a: [1, { b: null }] } }));
  tell('content as a form', await world.ask('/content', { method: 'POST', body: new URLSearchParams({ a: '1', b: 'two' }) }));
  tell('content as a text', await world.ask('/content', { method: 'POST', body: 'plain' }));
  const preflight = await fetch(`${world.url}/counters/one`, { method: 'OPTIONS', headers: { origin: 'https://example.com' } });
  // What else it says of methods is dotdo's own.
  tell('preflight', [preflight.status, preflight.headers.get('access-control-allow-origin')]);
  await world.restart();
  tell('after a kill', await world.ask('/counters/one'));
  tell('goes on', await world.ask('/counters/one/increment'));
  tell('another', await world.ask('/counters/two'));
  tell('reset', await world.ask('/counters/one/reset'));
  tell('after the reset', await world.ask('/counters/one'));
}
