// What the tiles and the chart show of a site: which report tells what, and how a figure is made of it.
//
// Without a filter everything is of `traffic`; with one, of the first report that has the filtered dimension. What no
// such report tells is not known: nothing is kept that could tell it.

import type { Catalogue, Filter, Interval, Line, Params, Part } from '../api';
import { lines } from '../api';
import { openFrom } from '../days';
import { duration, number, percent, ratio } from '../format';
import { missing, reportOf } from '../state';

type Maybe = number | null;

/** What was counted, of a bucket or in total; null is not known. */
export interface Figure {
  visitors: Maybe;
  hits: Maybe;
  visits: Maybe;
  /** Of page_leave: first pages, those that were also the last, and all seconds. */
  entries: Maybe;
  bounced: Maybe;
  seconds: Maybe;
}

export type Told = Partial<Record<keyof Figure, 'events' | 'visitors' | 'amount'>>;

/** In order of preference: the first two that can be asked and tell something new are asked. */
const TELLS: [string, Told][] = [
  ['traffic', { visitors: 'visitors', hits: 'events', visits: 'amount' }],
  ['pages', { visitors: 'visitors', hits: 'events' }],
  ['entry_pages', { visits: 'events' }],
  ['sources', { visitors: 'visitors', visits: 'events' }],
  ['countries', { visitors: 'visitors', hits: 'events' }],
  ['platforms', { visitors: 'visitors', hits: 'events' }],
  ['browsers', { visitors: 'visitors', hits: 'events' }],
  ['languages', { visitors: 'visitors', hits: 'events' }],
  ['campaigns', { visitors: 'visitors', hits: 'events' }],
  ['goals', { visitors: 'visitors' }],
  ['links', { visitors: 'visitors' }],
];
export const LEAVES: [string, Told][] = [
  ['bounces', { entries: 'events', bounced: 'amount' }],
  ['page_time', { seconds: 'amount' }],
];
const MOST_BUCKETS = 5_000;

export interface Metric {
  name: string;
  label: string;
  of: (figure: Figure) => Maybe;
  text: (value: Maybe) => string;
  better: 'up' | 'down' | 'neither';
  /** A bucket without anything counted is nought. */
  additive?: boolean;
  /** A share, whose change is told in percentage points. */
  points?: boolean;
  /** What is counted by the day cannot be shown by the hour. */
  byDay?: boolean;
}

const over = (above: Maybe, below: Maybe): Maybe => (above === null || !below ? null : above / below);

export const METRICS: Metric[] = [
  { name: 'visitors', additive: true, label: 'Visitors', of: ({ visitors }) => visitors, text: number, better: 'up' },
  { name: 'visits', additive: true, label: 'Visits', of: ({ visits }) => visits, text: number, better: 'up' },
  { name: 'hits', additive: true, label: 'Hits', of: ({ hits }) => hits, text: number, better: 'up' },
  { name: 'views', label: 'Views per visit', of: ({ hits, visits }) => over(hits, visits), text: ratio, better: 'up' },
  { name: 'bounce', label: 'Bounce rate', points: true, of: ({ bounced, entries }) => over(bounced, entries), text: percent, better: 'down', byDay: true },
  { name: 'time', label: 'Time per visit', of: ({ seconds, visits }) => over(seconds, visits), text: duration, better: 'up', byDay: true },
];
/** With a page picked, hits and visits are of different things: what is known is the time on the page. */
export const METRICS_OF_PAGE: Metric[] = [
  ...METRICS.slice(0, 3),
  METRICS[4]!,
  { name: 'time', label: 'Time on page', of: ({ seconds, hits }) => over(seconds, hits), text: duration, better: 'up', byDay: true },
];

/** The reports the filters leave to ask: main figures, visits where they are told apart. */
export function reportsFor(catalogue: Catalogue, filters: Filter[]): [string, Told][] {
  const fitting = TELLS.filter(([report]) => missing(catalogue, report, filters).length === 0);
  const [main, ...others] = fitting;
  if (!main) return [];
  const more = main[1].visits ? undefined : others.find(([, told]) => told.visits && !told.hits);
  return more ? [main, more] : [main];
}

/** How to ask a report for its figures: by all its dimensions where the filters pin each to one value (visitors!). */
export function figureParams(catalogue: Catalogue, report: string, params: Params): Params {
  const dimensions = reportOf(catalogue, report)?.by.map(({ name }) => name) ?? [];
  const pinned = dimensions.every((name) =>
    params.filters?.some(({ dimension, op, values }) => dimension === name && op === '==' && values.length === 1),
  );
  return { ...params, by: pinned ? dimensions : [], limit: MOST_BUCKETS };
}

export interface Figures {
  total: Figure;
  by: Map<string, Figure>;
}

/** The parts' figures in total and by bucket. */
export function figuresOf(parts: [Part | undefined, Told][]): Figures {
  const total = none();
  const by = new Map<string, Figure>();
  for (const [part, told] of parts) {
    if (!part) continue;
    const rows = lines(part);
    for (const [name, measure] of Object.entries(told) as [keyof Figure, string][]) {
      const column = columnOf(part, measure);
      const told = part.totals[measure] ?? (measure === 'visitors' ? part.totals['visitor_days'] : null);
      total[name] = told ?? sum(rows, column);
      for (const row of rows) {
        const bucket = String(row['bucket'] ?? '');
        const figure = by.get(bucket) ?? none();
        by.set(bucket, figure);
        const value = row[column];
        figure[name] = typeof value === 'number' ? value : null;
      }
    }
  }
  return { total, by };
}

/** The metric's values by bucket: nothing counted is nought up to now, and nothing after. */
export function valuesOf(metric: Metric, { total, by }: Figures, buckets: string[], interval: Interval): Maybe[] {
  const open = openFrom(buckets, interval);
  const empty = metric.additive && metric.of(total) !== null ? 0 : null;
  return buckets.map((bucket, place) => {
    if (place > open) return null;
    const figure = by.get(bucket);
    return figure ? metric.of(figure) : empty;
  });
}

function columnOf(part: Part, measure: string): string {
  const names = measure === 'visitors' ? ['visitors', 'visitor_days', 'new_visitors'] : [measure];
  return names.find((name) => part.columns.includes(name)) ?? measure;
}

/** Null if no row tells it, but nought if there is no row. */
function sum(rows: Line[], column: string): Maybe {
  const values = rows.map((row) => row[column]).filter((value) => typeof value === 'number');
  return values.length > 0 || rows.length === 0 ? values.reduce((all, value) => all + value, 0) : null;
}

function none(): Figure {
  return { visitors: null, hits: null, visits: null, entries: null, bounced: null, seconds: null };
}
