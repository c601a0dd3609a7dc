// What is looked at: property, range, interval, comparison, filters. It lives in the page's address and nowhere else,
// so a view can be linked to and the back button works.

import { createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import { readFilter, spelled } from './api';
import type { Catalogue, Compare, Filter, Interval, Params, Property, Report } from './api';

/**
 * `period` is one the API knows, or 'custom' with from and to. `interval` '' lets the length of the range decide.
 * `metric` is what the chart shows, `details` the panel whose details are open: '' for the first, for none.
 */
export interface View {
  property: string;
  period: string;
  from: string;
  to: string;
  interval: Interval | '';
  compare: Compare;
  filters: Filter[];
  metric: string;
  details: string;
}

export type Change = (patch: Partial<View>) => void;

export interface Dash {
  view: View;
  change: Change;
  property: Property;
  catalogue: Catalogue;
  /** Grows when everything is to be asked again. */
  turn: number;
  /** Ask everything again. */
  refresh: () => void;
}

export const DashContext = createContext<Dash | null>(null);

const DEFAULT_PERIOD = '28d';
const COMPARISONS: Compare[] = ['previous', 'year'];
const INTERVALS: Interval[] = ['hour', 'day', 'week', 'month'];

/** What every part of the dashboard knows. */
export function useDash(): Dash {
  const dash = useContext(DashContext);
  if (!dash) throw new Error('outside of the dashboard');
  return dash;
}

/** The view in the address, and how to go to another one (an entry in the history). */
export function useView(): [View, Change] {
  const [view, setView] = useState(() => readView(location.search));
  useEffect(() => {
    const read = () => setView(readView(location.search));
    addEventListener('popstate', read);
    return () => removeEventListener('popstate', read);
  }, []);
  const change: Change = (patch) => {
    const next = { ...readView(location.search), ...patch };
    const address = addressOf(next);
    if (address !== location.pathname + location.search) history.pushState(null, '', address);
    setView(next);
  };
  return [view, change];
}

/** What of the view goes into every question. */
export function scope(view: View, more: Partial<Params> = {}): Params {
  const range = view.period === 'custom' ? { from: view.from, to: view.to } : { period: view.period };
  return { property: view.property, ...range, compare: view.compare, filters: view.filters, ...more };
}

export function reportOf(catalogue: Catalogue, name: string): Report | undefined {
  return catalogue.reports.find((report) => report.name === name);
}

/** The filtered dimensions a report does not have; empty: it can be asked with all filters. */
export function missing(catalogue: Catalogue, report: string, filters: Filter[]): string[] {
  const has = reportOf(catalogue, report)?.by.map(({ name }) => name) ?? [];
  return [...new Set(filters.map(({ dimension }) => dimension))].filter((name) => !has.includes(name));
}

/** The view with one value picked, in place of what was picked of that dimension; picked again, it is let go. */
export function picked(filters: Filter[], dimension: string, value: string): Filter[] {
  const others = filters.filter((filter) => filter.dimension !== dimension);
  const before = filters.find((filter) => filter.dimension === dimension);
  const again = before?.op === '==' && before.values.length === 1 && before.values[0] === value;
  return again ? others : [...others, { dimension, op: '==', values: [value] }];
}

export function readView(search: string): View {
  const said = new URLSearchParams(search);
  const from = said.get('from') ?? '';
  const to = said.get('to') ?? '';
  const compare = said.get('compare');
  return {
    property: said.get('property') ?? '',
    period: from && to ? 'custom' : (said.get('period') ?? DEFAULT_PERIOD),
    from,
    to,
    interval: INTERVALS.find((name) => name === said.get('interval')) ?? '',
    compare: compare === 'none' ? '' : (COMPARISONS.find((name) => name === compare) ?? 'previous'),
    filters: said.getAll('filter').flatMap((text) => readFilter(text) ?? []),
    metric: said.get('metric') ?? '',
    details: said.get('details') ?? '',
  };
}

export function addressOf(view: View): string {
  const said = new URLSearchParams();
  if (view.property) said.set('property', view.property);
  if (view.period === 'custom') {
    said.set('from', view.from);
    said.set('to', view.to);
  } else if (view.period !== DEFAULT_PERIOD) said.set('period', view.period);
  if (view.interval) said.set('interval', view.interval);
  if (view.compare !== 'previous') said.set('compare', view.compare || 'none');
  for (const filter of view.filters) said.append('filter', spelled(filter));
  if (view.metric) said.set('metric', view.metric);
  if (view.details) said.set('details', view.details);
  const search = said.toString();
  return location.pathname + (search ? `?${search}` : '');
}
