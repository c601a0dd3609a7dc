// The only place that talks to the collector: session, properties, catalogue, questions. Same origin, cookie, no more
// than four questions under way. An answer is kept for a short while, so that going back costs nothing.

export type Sort = 'site' | 'product';
export type Interval = 'hour' | 'day' | 'week' | 'month';
export type Compare = '' | 'previous' | 'year';
export type Operator = '==' | '!=' | '~';
export type Cell = string | number | null;
export type Line = Record<string, Cell>;

export interface Property {
  id: string;
  sort: Sort;
  annotations: { day: string; text: string }[];
}

export interface Session {
  name: string;
  role: string;
  properties: string[] | null;
  expires: string;
}

export interface Report {
  name: string;
  question: string;
  by: { name: string; class: 'ours' | 'theirs'; tells: string }[];
  grain: 'hour' | 'day';
  measures: string[];
  amount: string | null;
  kinds: string[];
}

export interface Catalogue {
  threshold: number;
  reports: Report[];
}

export interface Filter {
  dimension: string;
  op: Operator;
  values: string[];
}

/** One question; `property` and a range are always given. */
export interface Params {
  property: string;
  period?: string;
  from?: string;
  to?: string;
  interval?: Interval;
  by?: string[];
  filters?: Filter[];
  sort?: string;
  limit?: number;
  offset?: number;
  compare?: Compare;
}

export interface Earlier {
  from: string;
  to: string;
  rows: Cell[][];
  totals: Record<string, number | null>;
  notes?: string[];
}

/** Rows with the names of their columns. */
export interface Part extends Earlier {
  columns: string[];
}

export interface Answer extends Part {
  report: string;
  property: string;
  threshold: number;
  notes: string[];
  as_of?: string;
  epochs?: Record<string, number>;
  earlier?: Earlier;
}

/** What went wrong. status 0: no answer at all. `rule` is the collector's own sentence, where it has one. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly rule: string,
    readonly retryAfterS: number | null = null,
  ) {
    super(rule || `status ${status}`);
  }
}

const AT_ONCE = 4;
const KEPT_MS = 30_000;
const REPORTS = '/api/v1/reports';
const SESSION = '/api/v1/session';

const kept = new Map<string, { at: number; answer: Promise<Answer> }>();
const waiting: (() => void)[] = [];
let underWay = 0;
let signedOut = () => {};

/** What to do when the collector says that nobody is signed in. */
export function onSignedOut(then: () => void): void {
  signedOut = then;
}

/** The answer of one report; the same question within half a minute is asked once. */
export function ask(report: string, params: Params): Promise<Answer> {
  const address = `${REPORTS}/${report}?${query(params)}`;
  const known = kept.get(address);
  if (known && Date.now() - known.at < KEPT_MS) return known.answer;
  const answer = inTurn(() => fetched<Answer>(address));
  kept.set(address, { at: Date.now(), answer });
  answer.catch((error: ApiError) => {
    kept.delete(address);
    if (error.status === 401) signedOut();
  });
  return answer;
}

/** Forget what was answered, so that everything is asked again. */
export function forget(): void {
  kept.clear();
}

/** Where the same question is answered as CSV. */
export function csvAddress(report: string, params: Params): string {
  return `${REPORTS}/${report}?${query(params)}&format=csv`;
}

export const catalogue = () => fetched<Catalogue>(REPORTS);
export const session = () => fetched<Session>(SESSION);
export const properties = async () => (await fetched<{ properties: Property[] }>('/api/v1/properties')).properties;

/** With a name and password, or with the one-time code of a sign-in link. */
export async function signIn(proof: { name: string; password: string } | { code: string }): Promise<void> {
  await send(SESSION, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(proof),
  });
}

export async function signOut(): Promise<void> {
  await send(SESSION, { method: 'DELETE' });
  forget();
}

/** The earlier part of an answer, which has the same columns. */
export function before(answer: Answer): Part | undefined {
  return answer.earlier && { ...answer.earlier, columns: answer.columns };
}

/** The rows as objects, by the names of their columns. */
export function lines(part: Part): Line[] {
  return part.rows.map((row) => Object.fromEntries(part.columns.map((name, place) => [name, row[place] ?? null])));
}

export function query(params: Params): string {
  const said = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (name === 'filters') for (const filter of params.filters ?? []) said.append('filter', spelled(filter));
    else if (Array.isArray(value)) {
      if (value.length > 0) said.set(name, value.join(','));
    } else if (value !== undefined && value !== '') said.set(name, String(value));
  }
  return said.toString();
}

/** A filter as the API and the address bar have it. */
export function spelled({ dimension, op, values }: Filter): string {
  return dimension + op + values.map((value) => value.replace(/[\\,]/g, '\\$&')).join(',');
}

/** The filter a text stands for; null if it is none. */
export function readFilter(text: string): Filter | null {
  const match = /^([a-z_]+)(==|!=|~)([^]+)$/.exec(text);
  if (!match) return null;
  const values = match[3]!.match(/(?:\\[^]|[^\\,])+/g) ?? [];
  return {
    dimension: match[1]!,
    op: match[2] as Operator,
    values: values.map((value) => value.replace(/\\([^])/g, '$1')),
  };
}

async function inTurn<T>(start: () => Promise<T>): Promise<T> {
  if (underWay >= AT_ONCE) await new Promise<void>((go) => waiting.push(go));
  else underWay += 1;
  try {
    return await start();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else underWay -= 1;
  }
}

async function fetched<T>(address: string): Promise<T> {
  return (await (await send(address)).json()) as T;
}

async function send(address: string, options: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(address, { credentials: 'same-origin', ...options });
  } catch {
    throw new ApiError(0, '');
  }
  if (response.ok) return response;
  const said = await response.json().catch(() => null);
  const after = Number(response.headers.get('Retry-After'));
  throw new ApiError(response.status, said?.error?.rule ?? '', after > 0 ? after : null);
}

/** What is known of whoever signed in, before any question. */
export interface Start {
  session: Session;
  properties: Property[];
  catalogue: Catalogue;
}
