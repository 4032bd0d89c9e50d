import { AgentClient, agentFetch } from 'agents/client';
import WebSocket from 'ws';

const agent = { agent: 'TaskAgent', name: 'chores' };

export default async function (world, tell) {
  const { until } = world;
  const join = async () => {
    const client = new AgentClient({ ...agent, host: world.host, protocol: 'ws', WebSocket, minReconnectionDelay: 10, maxReconnectionDelay: 100 });
    await client.ready;
    return client;
  };
  const failure = (call) => call.then(() => 'nothing', (error) => error.message);
  tell('elsewhere', await world.ask('/'));
  tell('by HTTP', await world.ask('/agents/task-agent/chores/some/path'));
  const fetched = await agentFetch({ ...agent, host: world.host, protocol: 'http' }, { method: 'PUT' });
  tell('by agentFetch', await fetched.json());
  tell('by RPC', await world.ask('/titles/chores?title=by%20RPC'));
  const [ada, bob] = [await join(), await join()];
  await until('the state', () => ada.state?.tasks.length === 1);
  tell('who', [ada.agent, ada.name]);
  tell('state', ada.state);
  tell('called', await ada.call('add', ['wash']));
  tell('called by its stub', await bob.stub.add('dry'));
  await until('two more', () => [ada, bob].every(({ state }) => state.tasks.length === 3));
  tell('both know', [ada.state, bob.state]);
  tell('done', await bob.call('done', ['t1']));
  tell('failed', await failure(ada.call('done', ['t9'])));
  tell('not for clients', await failure(ada.call('secret', [])));
  tell('absent', await failure(ada.call('absent', [])));
  const chunks = [];
  const counted = await new Promise((done, fail) => {
    void ada.call('count', [3], { stream: { onChunk: (chunk) => chunks.push(chunk), onDone: done, onError: fail } });
  });
  tell('streamed', [chunks, counted]);
  ada.setState({ ...ada.state, tasks: ada.state.tasks.slice(1) });
  await until('what ada has set', () => bob.state.tasks.length === 2);
  tell('set by a client', bob.state);
  tell('reminders', await ada.call('remind', ['tea']));
  await until('a reminder', () => ada.state.rung.length === 1);
  tell('rung', ada.state.rung);
  tell('queued', await ada.call('later', ['coffee']));
  await until('what was queued', () => bob.state.rung.length === 2);
  tell('rung again', bob.state.rung);
  tell('log', await bob.call('log', []));
  await world.restart();
  // Both come back by themselves.
  await until('an answer', () => ada.readyState === WebSocket.OPEN && bob.readyState === WebSocket.OPEN);
  tell('after a kill', await ada.call('add', ['after a kill']));
  await until('the same state', () => bob.state.tasks.length === 3);
  tell('state after a kill', bob.state);
  tell('log after a kill', await bob.call('log', []));
  ada.close();
  bob.close();
}
