import { DurableObject } from 'cloudflare:workers';

/** Any JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json | undefined };

/** A thing, in one of its versions. */
export interface Thing<Data = Json> {
  readonly id: string;
  readonly type: string;
  readonly branch: string;
  readonly name: string | null;
  readonly data: Data | null;
  readonly deleted: boolean;
  readonly visibility: string | null;
  /** The number of this version, counted across all things of the object. */
  readonly version: number;
}

/** An edge, unique by `verb`, `from` and `to`. */
export interface Relationship<Data = Json> {
  readonly id: string;
  readonly verb: string;
  readonly from: string;
  readonly to: string;
  readonly data: Data | null;
  /** RFC 3339, in UTC, like all times. */
  readonly created_at: string;
}

export type Durability = 'send' | 'try' | 'do';
export type Status = 'pending' | 'running' | 'completed' | 'failed' | 'undone' | 'retrying';

/** An action: planned, running or finished. */
export interface Action {
  readonly id: string;
  readonly verb: string;
  readonly actor: string | null;
  readonly target: string | null;
  /** The version before. */
  readonly input: number | null;
  /** The version that it has made. */
  readonly output: number | null;
  readonly options: Json;
  readonly durability: Durability;
  readonly status: Status;
  readonly error: Json;
  readonly request_id: string | null;
  readonly session_id: string | null;
  readonly workflow_id: string | null;
  readonly started_at: string | null;
  readonly completed_at: string | null;
  /** In milliseconds. */
  readonly duration: number | null;
  readonly created_at: string;
}

/** Something that has happened. */
export interface Event<Data = Json> {
  readonly id: string;
  readonly verb: string;
  readonly source: string | null;
  readonly data: Data | null;
  readonly action_id: string | null;
  /** Counted from 1, without gaps. */
  readonly sequence: number;
  readonly streamed: boolean;
  readonly streamed_at: string | null;
  readonly created_at: string;
}

type Time = string | number | Date;
type Given<Item, Required extends keyof Item, Fixed extends keyof Item> =
  Pick<Item, Required> & { readonly [Name in Exclude<keyof Item, Required | Fixed>]?: Item[Name] | null };
/** Changes are merged (RFC 7396); null removes. */
type Changes<Item> = { readonly [Name in keyof Item]?: Item[Name] | null };

export interface Origin {
  actor?: string | null;
  session_id?: string | null;
  workflow_id?: string | null;
  request_id?: string | null;
}

export interface ListOptions {
  /** 1 to 1000; 100 by default. */
  limit?: number;
  /** The `next` of the page before. */
  after?: string;
  /** Values of fields; `data.color` is a key in JSON. */
  where?: Record<string, Json>;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** What `after` is for the next page, if there is one. */
  readonly next?: string;
}

export interface Things {
  create<Data extends Json = Json>(thing: Given<Thing<Data>, never, 'deleted' | 'version'>, options?: Origin & { branch?: string }): Promise<Thing<Data>>;
  get<Data extends Json = Json>(id: string, options?: { branch?: string; version?: number; at?: Time }): Promise<Thing<Data> | null>;
  list<Data extends Json = Json>(options?: ListOptions & { type?: string; branch?: string }): Promise<Page<Thing<Data>>>;
  versions<Data extends Json = Json>(id: string, options?: { branch?: string }): Promise<Thing<Data>[]>;
  update<Data extends Json = Json>(id: string, changes: Changes<Thing<Json>>, options?: Origin & { branch?: string }): Promise<Thing<Data>>;
  delete(id: string, options?: Origin & { branch?: string }): Promise<void>;
}

export interface Records<Item, New> {
  create(item: New): Promise<Item>;
  get(id: string): Promise<Item | null>;
  list(options?: ListOptions): Promise<Page<Item>>;
  update(id: string, changes: Changes<Item>): Promise<Item>;
}

export interface Relationships extends Records<Relationship, Given<Relationship, 'verb' | 'from' | 'to', 'created_at'>> {
  delete(id: string): Promise<void>;
}

export interface Actions extends Records<Action, Given<Action, 'verb', 'started_at' | 'completed_at' | 'duration' | 'created_at'>> {
  delete(id: string): Promise<void>;
}

export type Events = Records<Event, Given<Event, 'verb', 'sequence' | 'created_at'>>;

export interface IcebergOptions {
  autoCheckpoint?: boolean;
  checkpointIntervalMs?: number;
  minChangesBeforeCheckpoint?: number;
}

/** What collections throw. */
export class BaseError extends Error {
  readonly code: 'BAD_REQUEST' | 'NOT_FOUND' | 'CONFLICT' | 'FENCED';
}

/** A durable object with things, relationships, actions and events, on dotdo and on Cloudflare. */
export class DOBase<Env = unknown> extends DurableObject<Env> {
  constructor(ctx: DurableObjectState, env: Env);
  readonly things: Things;
  readonly relationships: Relationships;
  readonly actions: Actions;
  readonly events: Events;
  /** What this class asks of snapshots. Where the platform writes them, its own settings hold. */
  configureIceberg(options: IcebergOptions): void;
  readonly icebergOptions: Required<Pick<IcebergOptions, 'autoCheckpoint'>> & IcebergOptions;
  /** Waits for nothing: the platform has loaded the state before the constructor. */
  loadFromIceberg(): Promise<void>;
  /** Waits until what was written is durable. */
  saveToIceberg(): Promise<void>;
  /** A token that no other caller gets before it is released, or `holdMs` (60,000) are over. */
  acquireFencingToken(options?: { holdMs?: number }): Promise<string>;
  /** Gives a token back. */
  releaseFencingToken(token: string): Promise<void>;
}
