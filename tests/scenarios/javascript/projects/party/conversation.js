const room = '/parties/chat-room/lobby';

/** Rooms leave memory as soon as others are asked. */
export const settings = { DOTDO_LIMITS_OBJECTS_MAX: '2' };

export default async function (world, tell) {
  const { until } = world;
  const open = (name, more = '') => world.socket(`${room}?_pk=${name}-id&name=${name}${more}`);
  tell('elsewhere', await world.ask('/'));
  tell('no such party', await world.ask('/parties/absent/lobby'));
  tell('nobody yet', await world.ask(room));
  const ada = await open('ada', '&role=moderator');
  tell('ada is welcome', await ada.next());
  const bob = await open('bob');
  tell('bob is welcome', await bob.next());
  tell('ada hears of bob', await ada.next());
  tell('two', await world.ask('/count/lobby'));
  tell('none elsewhere', await world.ask('/count/other'));
  ada.send('hello');
  for (const [name, client] of Object.entries({ ada, bob })) tell(`${name} hears hello`, await client.next());
  bob.send('who');
  tell('who', await bob.next());
  bob.send(Uint8Array.of(1, 2, 3));
  tell('bytes', await bob.next());
  tell('stranger', await world.socket(`${room}?name=stranger`).then(() => 'open', (error) => error.message));
  const troll = await open('troll');
  tell('troll', await troll.next());
  ada.send('fail');
  ada.send('after the failure');
  for (const [name, client] of Object.entries({ ada, bob })) tell(`${name} hears more`, await client.next());
  tell('ringing', await world.ask(room, { method: 'POST' }));
  for (const [name, client] of Object.entries({ ada, bob })) tell(`${name} hears it ring`, await client.next());
  for (const name of ['a', 'b', 'c', 'd']) await world.ask(`/parties/chat-room/${name}`);
  bob.send('still here');
  for (const [name, client] of Object.entries({ ada, bob })) tell(`${name} hears bob`, await client.next());
  tell('what is stored by names', await world.ask('/keys/lobby'));
  // An alarm finds none in memory.
  await world.ask(room, { method: 'POST' });
  for (const name of ['a', 'b', 'c', 'd']) await world.ask(`/parties/chat-room/${name}`);
  for (const [name, client] of Object.entries({ ada, bob })) tell(`${name} hears it ring again`, await client.next());
  tell('two are still there', await world.ask('/count/lobby'));
  for (const name of ['a', 'b', 'c', 'd']) await world.ask(`/parties/chat-room/${name}`);
  await bob.close(4001, 'bye');
  tell('ada hears of the end', await ada.next());
  await until('one', async () => (await world.ask('/count/lobby')).body === 1);
  await world.restart();
  await ada.closed;
  const again = await open('ada');
  tell('welcome again', await again.next());
  again.send('after a kill');
  tell('hears', await again.next());
  tell('all', await world.ask(room));
}
