/** A server of a project, which runs. */
export interface TestServer {
  /** Its address, such as `http://127.0.0.1:40123`. */
  readonly url: string;
  /** Sends a request to the worker. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** What it has logged so far. */
  log(): string;
  /** Has it end in order. */
  stop(): Promise<void>;
  /** Ends it as a loss of power would. */
  kill(): Promise<void>;
}

export interface TestServerOptions {
  /** The worker, its configuration, or a folder that has one; the working directory by default. */
  worker?: string;
  /** Where the state is; `memory://` by default. */
  storage?: string;
  /** More variables in the server's environment. */
  env?: Record<string, string>;
}

/** Serves a project on a free port of this machine, bundled if it needs that. */
export function startServer(options?: TestServerOptions): Promise<TestServer>;
