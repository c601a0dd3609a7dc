// Asks for the figures of the range: together at most four questions, the same for the tiles and the chart.

import { useRef } from 'preact/hooks';
import { before } from '../api';
import type { Answer, Filter, Interval } from '../api';
import { fitting, lengthOf } from '../days';
import { missing, scope, useDash } from '../state';
import { useAnswer } from '../useAnswer';
import type { Asked } from '../useAnswer';
import { LEAVES, figureParams, figuresOf, reportsFor } from './figures';
import type { Figures, Told } from './figures';

const LENGTHS: Record<string, number> = { today: 1, yesterday: 1, '7d': 7, '28d': 28, '90d': 90, month: 28, 'last-month': 31 };
const A_YEAR = 366;

/** What the range is cut into: as chosen, as fits, and never finer than what the filters leave to ask is counted. */
export function useInterval(): Interval {
  const { view } = useDash();
  const days = view.period === 'custom' ? lengthOf(view.from, view.to) : (LENGTHS[view.period] ?? A_YEAR);
  const interval = view.interval || fitting(view.period === 'all' ? 2 * A_YEAR : days);
  return interval === 'hour' && (view.filters.length > 0 || days > 31) ? 'day' : interval;
}

export interface Overall {
  asked: Asked[];
  /** What the figures are of: while others are on their way, what was asked before. */
  interval: Interval;
  filters: Filter[];
  answer: Answer | null;
  now: Figures;
  before: Figures | null;
}

/** The figures of the range, put together from answers to one and the same range and filters only. */
export function useFigures(): Overall {
  const { view, catalogue } = useDash();
  const interval = useInterval();
  const params = scope(view, { interval });
  const [main, more] = reportsFor(catalogue, view.filters);
  const first = useAnswer(main?.[0] ?? null, main ? figureParams(catalogue, main[0], params) : params);
  const second = useAnswer(more?.[0] ?? null, more ? figureParams(catalogue, more[0], params) : params);
  const leaves = scope(view, { interval: interval === 'hour' ? 'day' : interval });
  const [bounces, time] = LEAVES.map((one) => (missing(catalogue, one[0], view.filters).length === 0 ? one : null));
  const third = useAnswer(bounces?.[0] ?? null, leaves);
  const fourth = useAnswer(time?.[0] ?? null, leaves);
  const told = pairs([first, main], [second, more], [third, bounces], [fourth, time]);
  const asked = told.map(([one]) => one);
  const overall: Overall = {
    asked,
    interval,
    filters: view.filters,
    answer: first.answer,
    now: figuresOf(told.map(([{ answer }, tells]) => [answer ?? undefined, tells])),
    before: first.answer?.earlier ? figuresOf(told.map(([{ answer }, tells]) => [answer ? before(answer) : undefined, tells])) : null,
  };
  const settled = useRef(overall);
  if (asked.every(({ loading }) => !loading) || !settled.current.answer) settled.current = overall;
  return { ...settled.current, asked };
}

/** The answers that were asked for, each with what it tells. */
function pairs(...all: [Asked, [string, Told] | null | undefined][]): [Asked, Told][] {
  return all.flatMap(([asked, tells]) => (tells ? [[asked, tells[1]] satisfies [Asked, Told]] : []));
}
