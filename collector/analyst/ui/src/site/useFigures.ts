// Asks for the figures of the range: together at most four questions, the same for the tiles and the chart.

import type { Interval } from '../api';
import { fitting, lengthOf } from '../days';
import { missing, scope, useDash } from '../state';
import { useAnswer } from '../useAnswer';
import type { Asked } from '../useAnswer';
import { LEAVES, figureParams, figuresOf, reportsFor } from './figures';
import type { Figures, Told } from './figures';

const LENGTHS: Record<string, number> = { today: 1, yesterday: 1, '7d': 7, '28d': 28, '90d': 90, month: 28, 'last-month': 31 };
const A_YEAR = 366;

/** What the range is cut into: as chosen, as fits, and never finer than what the filters leave to ask is counted. */
function useInterval(): Interval {
  const { view } = useDash();
  const days = view.period === 'custom' ? lengthOf(view.from, view.to) : (LENGTHS[view.period] ?? A_YEAR);
  const interval = view.interval || fitting(view.period === 'all' ? 2 * A_YEAR : days);
  return interval === 'hour' && (view.filters.length > 0 || days > 31) ? 'day' : interval;
}

export interface Overall {
  asked: Asked[];
  interval: Interval;
  now: Figures;
  before: Figures | null;
}

/** The figures of the range, put together from at most four answers. */
export function useFigures(): Overall {
  const { view, catalogue } = useDash();
  const interval = useInterval();
  const params = scope(view, { interval });
  const [main, more] = reportsFor(catalogue, view.filters);
  const first = useAnswer(main?.[0] ?? null, main ? figureParams(catalogue, main[0], params) : params);
  const second = useAnswer(more?.[0] ?? null, more ? figureParams(catalogue, more[0], params) : params);
  const byDay: Interval = interval === 'hour' ? 'day' : interval;
  const leaves = LEAVES.map(([report]) => (missing(catalogue, report, view.filters).length === 0 ? report : null));
  const bounces = useAnswer(leaves[0]!, scope(view, { interval: byDay, by: [] }));
  const seconds = useAnswer(leaves[1]!, scope(view, { interval: byDay, by: [] }));
  const told: [Asked, Told | undefined][] = [
    [first, main?.[1]],
    [second, more?.[1]],
    [bounces, leaves[0] ? LEAVES[0]![1] : undefined],
    [seconds, leaves[1] ? LEAVES[1]![1] : undefined],
  ];
  const parts = told.flatMap(([asked, tells]) => (tells ? [[asked.answer ?? undefined, tells] as const] : []));
  const earlier = first.answer?.earlier;
  return {
    asked: told.flatMap(([asked, tells]) => (tells ? [asked] : [])),
    interval,
    now: figuresOf(parts.map(([answer, tells]) => [answer, tells])),
    before: earlier ? figuresOf(parts.map(([answer, tells]) => [answer?.earlier, tells])) : null,
  };
}

