export default async function (world, tell) {
  const open = (room, ip) => world.socket(`/api/room/${room}/websocket`, { 'CF-Connecting-IP': ip });
  const told = async (client) => {
    const message = await client.next();
    if (message.timestamp) message.timestamp = '<time>';
    return message;
  };
  const isLimited = ({ error }) => /rate-limited/.test(error);
  /** Says something, and what the client hears then: not before what was said before has been counted. */
  const say = async (client, message) => {
    for (;;) {
      client.send(message);
      const heard = await told(client);
      if (!isLimited(heard)) return heard;
    }
  };
  tell('page', await world.ask('/'));
  for (const path of ['/nowhere', '/api', '/api/room', '/api/room/lobby', '/api/room/lobby/websocket', `/api/room/${'x'.repeat(33)}/websocket`]) tell(path, await world.ask(path));
  const secret = await world.ask('/api/room', { method: 'POST' });
  tell('a secret room', { ...secret, body: secret.body.replace(/^[0-9a-f]{64}$/, '<id>') });
  const forged = await world.ask(`/api/room/${'0'.repeat(64)}/websocket`);
  tell('a forged id', [forged.status, forged.body.split(':')[0]]);
  for (const room of ['lobby', secret.body]) {
    const name = room === 'lobby' ? room : 'secret';
    const ada = await open(room, `${name}-1`);
    ada.send({ name: 'ada' });
    tell(`${name}: ada`, [await told(ada), await told(ada)]);
    const bob = await open(room, `${name}-2`);
    bob.send({ name: 'bob' });
    tell(`${name}: bob`, [await told(bob), await told(bob), await told(bob)]);
    tell(`${name}: ada hears of bob`, await told(ada));
    for (let n = 1; n < 4; n++) {
      tell(`${name}: message ${n}`, [await say(ada, { message: `message ${n}` }), await told(bob)]);
    }
    tell(`${name}: too long`, await say(bob, { message: 'x'.repeat(257) }));
    tell(`${name}: no JSON`, await say(bob, '{'));
    await bob.close(1000, 'bye');
    tell(`${name}: bob has quit`, await told(ada));
    await world.restart();
    await ada.closed;
    const eve = await open(room, `${name}-3`);
    eve.send({ name: 'eve' });
    const heard = [];
    while (!heard.at(-1)?.ready) heard.push(await told(eve));
    // dotdo tells the room of connections that a kill has broken.
    tell(`${name}: after a kill`, heard.filter(({ joined, quit }) => (joined ?? quit) !== 'ada'));
  }
  const long = await open('lobby', 'long');
  long.send({ name: 'x'.repeat(33) });
  tell('a long name', [await told(long), await told(long)]);
  const eager = await open('eager', 'eager');
  eager.send({ name: 'eager' });
  tell('eager', [await told(eager), await told(eager)]);
  // More than six messages a while.
  let heard;
  let isWaiting = 0;
  for (let n = 0; isWaiting < 5; n++) {
    eager.send({ message: String(n) });
    heard = await told(eager);
    isWaiting = isLimited(heard) ? isWaiting + 1 : 0;
    await new Promise((done) => setTimeout(done, 50));
  }
  tell('too eager', heard);
}
