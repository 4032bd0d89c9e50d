import { Agent, callable, getAgentByName, getCurrentAgent, routeAgentRequest, type Connection, type StreamingResponse } from 'agents';

type Task = { id: string; title: string; isDone: boolean };
type State = { tasks: Task[]; rung: string[]; changes: number };

export class TaskAgent extends Agent<Env, State> {
  initialState: State = { tasks: [], rung: [], changes: 0 };

  async onStart() {
    this.sql`CREATE TABLE IF NOT EXISTS log (n INTEGER PRIMARY KEY, what TEXT NOT NULL)`;
    this.#note('started');
  }

  #note(what: string) {
    this.sql`INSERT INTO log (what) VALUES (${what})`;
  }

  onStateChanged(state: State, source: Connection | 'server') {
    if (source !== 'server') this.#note(`a client has ${state.tasks.length} tasks`);
  }

  validateStateChange(next: State) {
    if (next.tasks.some(({ title }) => title === '')) throw new Error('a task needs a title');
  }

  @callable()
  add(title: string): Task {
    const task = { id: `t${this.state.tasks.length + 1}`, title, isDone: false };
    this.setState({ ...this.state, tasks: [...this.state.tasks, task], changes: this.state.changes + 1 });
    this.#note(`added ${title}`);
    return task;
  }

  @callable({ description: 'Marks a task as done' })
  async done(id: string) {
    const found = this.state.tasks.find((task) => task.id === id);
    if (!found) throw new RangeError(`no task ${id}`);
    this.setState({ ...this.state, tasks: this.state.tasks.map((task) => (task === found ? { ...task, isDone: true } : task)) });
    return this.state.tasks.filter(({ isDone }) => !isDone).length;
  }

  @callable({ streaming: true })
  async count(stream: StreamingResponse, to: number) {
    for (let n = 1; n <= to; n++) {
      stream.send({ n });
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    stream.end({ counted: to });
  }

  @callable()
  log() {
    return this.sql<{ what: string }>`SELECT what FROM log ORDER BY n`.map(({ what }) => what);
  }

  @callable()
  async remind(word: string) {
    const once = await this.schedule(new Date(Date.now() + 50), 'ring', { word });
    const later = await this.schedule(3600, 'ring', { word: 'later' });
    const daily = await this.schedule('0 8 * * *', 'ring', { word: 'daily' }, { idempotent: true });
    const all = this.getSchedules();
    return { kinds: [once.type, later.type, daily.type], known: all.map(({ callback, type }) => `${callback} ${type}`).sort(), cancelled: await this.cancelSchedule(later.id) };
  }

  ring({ word }: { word: string }) {
    const { agent } = getCurrentAgent<TaskAgent>();
    this.setState({ ...this.state, rung: [...this.state.rung, `${word} of ${agent?.name}`] });
  }

  @callable()
  async later(word: string) {
    await this.queue('ring', { word });
    return 'queued';
  }

  secret() {
    return 'not for clients';
  }

  async onRequest(request: Request) {
    return Response.json({ name: this.name, state: this.state, path: new URL(request.url).pathname, method: request.method });
  }
}

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (url.pathname.startsWith('/titles/')) {
      const agent = await getAgentByName<Env, TaskAgent>(env.TaskAgent, url.pathname.slice(8));
      return Response.json([await agent.add(url.searchParams.get('title') ?? 'untitled'), await agent.secret()]);
    }
    return (await routeAgentRequest(request, env)) ?? new Response('Not found', { status: 404 });
  },
} satisfies ExportedHandler<Env>;
