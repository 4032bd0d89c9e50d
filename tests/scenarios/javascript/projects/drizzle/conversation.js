export default async function (world, tell) {
  const call = (method, ...args) => world.ask(`/main/${method}`, { json: args });
  tell('empty', await call('list'));
  tell('migrated', await call('migrated'));
  const books = [
    { id: 'b1', author: 'Selma', title: 'The Saga of Gösta', tags: ['novel', 'värmland'], price: 12.5 },
    { id: 'b2', author: 'Selma', title: 'Geese', price: 20 },
    { id: 'b3', author: 'August', title: 'The Red Room' },
  ];
  for (const book of books) tell(`added ${book.id}`, await call('add', book));
  tell('twice', await call('add', books[0]));
  tell('no title', await call('add', { id: 'b4', author: 'Nobody', title: null }));
  tell('listed', await call('list'));
  tell('expensive', await call('expensive', 10));
  tell('lent', await call('lend', 'b1', 'Ada'));
  tell('lent twice', await call('lend', 'b1', 'Bob'));
  tell('lent, absent', await call('lend', 'b9', 'Bob'));
  tell('nested', await call('nested'));
  tell('statistics', await call('statistics'));
  tell('removed, but lent', await call('remove', 'Selma'));
  tell('removed', await call('remove', 'August'));
  tell('state', await call('state'));
  await world.ask('/other/add', { json: [books[2]] });
  await world.restart();
  tell('state after a kill', await call('state'));
  tell('migrated once', await call('migrated'));
  tell('another library', await world.ask('/other/list'));
}
