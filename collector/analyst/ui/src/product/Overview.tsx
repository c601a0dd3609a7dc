// The tiles of a product and, below them, the chosen one over time. What they are made of: active.ts.

import { before } from '../api';
import type { Answer, Interval, Part } from '../api';
import { bucketOf, bucketsOf, plusDays } from '../days';
import { bucketName, changeOf, number, percent, range } from '../format';
import { Note } from '../parts/Note';
import { Tile } from '../parts/Tile';
import { TimeChart } from '../parts/TimeChart';
import type { Values } from '../parts/TimeChart';
import { scope, useDash } from '../state';
import { Trouble } from '../Trouble';
import { useAnswer } from '../useAnswer';
import { dimensionName } from '../words';
import { activeReport, counted, endOf, isGrowing, lastMonth, lastWeek, meanOf, monthBefore, monthPlus, stickiness, weekBefore } from './active';
import type { Counts } from './active';
import { ALL_ROWS, marksOf, upToNow, useDays } from './series';

const WEEKS = 53; // so that the same week a year before is among them
const MONTHS = 13;
const SHOWN_WEEKS = 26;
const NOTES = [
  'No installation is recognised. Each says itself, with its first check of a day, whether that is also its first of the '
  + 'week, of the month, or ever; these are sums of what they say. Weeks begin on Monday, days and months are UTC.',
  'DAU is the mean of the days that are over. WAU and MAU are of the last whole week and month: no other seven or thirty '
  + 'days can be told, since nobody is recognised. Stickiness is that month’s mean DAU as a share of its MAU. '
  + 'A day of too few networks tells its total only: it counts in DAU and in nothing else.',
];

type Maybe = number | null;
interface Metric {
  name: string;
  label: string;
  value: Maybe;
  was: Maybe;
  hint: string;
  share?: boolean;
  /** How it is charted. */
  interval: Interval;
  buckets: string[];
  values: Values;
  earlier?: Values;
}

export function Overview() {
  const { view, change, catalogue } = useDash();
  const end = endOf(view);
  const report = activeReport(catalogue, view.filters) ?? null;
  const ask = { by: ['first'], limit: ALL_ROWS };
  const inRange = useAnswer(report, scope(view, { ...ask, interval: 'day' }));
  const since = (from: string, interval: Interval) => ({ property: view.property, filters: view.filters, from, to: end, interval, ...ask });
  const weeks = useAnswer(report, since(plusDays(bucketOf(end, 'week'), -7 * WEEKS), 'week'));
  const months = useAnswer(report, since(monthPlus(end, -MONTHS), 'month'));
  const all = [inRange, weeks, months];
  const interval = useDays();
  const busy = all.some(({ loading }) => loading);
  const failed = all.find(({ error }) => error);
  const answer = inRange.answer;
  const metrics = answer && weeks.answer && months.answer
    ? metricsOf(answer, weeks.answer, months.answer, interval, view.compare)
    : [];
  const metric = metrics.find(({ name }) => name === view.metric) ?? metrics[0];
  return (
    <section class="card card-wide overview" aria-label="Overview" aria-busy={busy}>
      <p class="hidden" role="status">{busy ? 'Loading' : ''}</p>
      {failed?.error && <Trouble error={failed.error} again={() => all.forEach(({ error, again }) => error && again())} />}
      {!report && (
        <p class="explained">
          Active installations are not counted by {[...new Set(view.filters.map(({ dimension }) => dimensionName(dimension)))].join(' and ').toLowerCase()}.
        </p>
      )}
      <div class="tiles" role="group" aria-label="Figures; the chosen one is in the chart">
        {metrics.map((one) => <MetricTile key={one.name} metric={one} selected={one === metric} onSelect={() => change({ metric: one === metrics[0] ? '' : one.name })} />)}
      </div>
      {metric ? <Chart metric={metric} /> : report && <div class="tiles-and-chart-space" />}
      {answer && metric && (
        <div class="overview-foot">
          <Note notes={[...NOTES, ...answer.notes]} about="Active installations" />
          <p>{footOf(metric, answer)}</p>
        </div>
      )}
    </section>
  );
}

function MetricTile({ metric, selected, onSelect }: { metric: Metric; selected: boolean; onSelect: () => void }) {
  const { view } = useDash();
  const { label, value, was, share, hint } = metric;
  const text = share ? percent : number;
  const compared = view.compare !== '' && was !== null && value !== null;
  const shift = share && value !== null && was !== null ? value - was : changeOf(value, was);
  return (
    <Tile
      label={label}
      value={text(value === null || share ? value : Math.round(value))}
      change={compared ? shift : null}
      points={share ?? false}
      {...(compared ? { earlier: `${text(share ? was : Math.round(was))} before` } : {})}
      hint={hint}
      selected={selected}
      onSelect={onSelect}
    />
  );
}

function Chart({ metric }: { metric: Metric }) {
  const { property } = useDash();
  const { label, buckets, interval, values, earlier, share } = metric;
  return (
    <TimeChart
      name={`${label} by ${interval}`}
      buckets={buckets}
      interval={interval}
      series={[{ label, values, ...(earlier ? { earlier } : {}) }]}
      format={share ? percent : (value) => number(value === null ? null : Math.round(value))}
      marks={marksOf(property, buckets, interval)}
    />
  );
}

function footOf({ name, buckets, interval }: Metric, answer: Answer): string {
  if (name === 'wau' || name === 'mau' || name === 'stickiness') {
    return `${buckets.length} ${interval}s, the last: ${bucketName(buckets.at(-1)!, interval)}`;
  }
  const earlier = answer.earlier ? `, compared with ${range(answer.earlier.from, answer.earlier.to)}` : '';
  return `${range(answer.from, answer.to)} UTC${earlier}`;
}

function metricsOf(answer: Answer, weeks: Part, months: Part, interval: Interval, compare: '' | 'previous' | 'year'): Metric[] {
  const [w, m, d] = [counted(weeks, 'w'), counted(months, 'm'), counted(months, 'd')];
  const week = lastWeek(answer.to);
  const month = lastMonth(answer.to);
  const weekBuckets = bucketsOf(weeks.from, weeks.to, 'week').slice(-SHOWN_WEEKS);
  const monthBuckets = bucketsOf(months.from, months.to, 'month');
  const [weekHint, monthHint] = [bucketName(week, 'week'), bucketName(month, 'month')];
  return [
    daily(answer, interval),
    {
      name: 'wau', label: 'WAU', value: w.get(week) ?? null, was: w.get(weekBefore(week, compare)) ?? null, hint: weekHint,
      interval: 'week', buckets: weekBuckets, values: upToNow(weekBuckets, 'week', (bucket) => w.get(bucket) ?? 0),
    },
    {
      name: 'mau', label: 'MAU', value: m.get(month) ?? null, was: m.get(monthBefore(month, compare)) ?? null, hint: monthHint,
      interval: 'month', buckets: monthBuckets, values: upToNow(monthBuckets, 'month', (bucket) => m.get(bucket) ?? 0),
    },
    {
      name: 'stickiness', label: 'Stickiness', share: true, value: stickiness(month, d, m),
      was: stickiness(monthBefore(month, compare), d, m), hint: `DAU / MAU, ${monthHint}`,
      interval: 'month', buckets: monthBuckets, values: monthBuckets.map((bucket) => stickiness(bucket, d, m)),
    },
    fresh(answer, interval),
  ];
}

function daily(answer: Answer, interval: Interval): Metric {
  const earlier = before(answer);
  const [now, was] = [counted(answer, 'd'), counted(earlier, 'd')];
  const days = bucketsOf(answer.from, answer.to, 'day');
  const mean = meanOf(days, now);
  const buckets = bucketsOf(answer.from, answer.to, interval);
  return {
    name: 'dau', label: 'DAU', interval, buckets,
    value: mean ?? now.get(answer.to) ?? null,
    was: earlier ? meanOf(bucketsOf(earlier.from, earlier.to, 'day'), was) : null,
    hint: mean === null ? 'so far today' : 'mean of whole days',
    values: means(buckets, days, interval, now),
    ...(earlier ? { earlier: means(bucketsOf(earlier.from, earlier.to, interval), bucketsOf(earlier.from, earlier.to, 'day'), interval, was) } : {}),
  };
}

/** The DAU of each bucket: of a day as it is, of a week or month the mean of its days that are over. */
function means(buckets: string[], days: string[], interval: Interval, counts: Counts): Values {
  return upToNow(buckets, interval, (bucket) =>
    interval === 'day' ? (counts.get(bucket) ?? 0) : meanOf(days.filter((day) => bucketOf(day, interval) === bucket), counts),
  );
}

function fresh(answer: Answer, interval: Interval): Metric {
  const earlier = before(answer);
  const [now, was] = [counted(answer, 'e'), counted(earlier, 'e')];
  const total = (counts: Counts) => [...counts.values()].reduce((sum, count) => sum + count, 0);
  const sums = (part: Part, counts: Counts): [string[], Values] => {
    const buckets = bucketsOf(part.from, part.to, interval);
    const days = [...counts];
    const of = (bucket: string) => days.reduce((sum, [day, count]) => (bucketOf(day, interval) === bucket ? sum + count : sum), 0);
    return [buckets, upToNow(buckets, interval, of)];
  };
  const [buckets, values] = sums(answer, now);
  return {
    name: 'new', label: 'New installations', value: total(now), was: earlier && !isGrowing(answer) ? total(was) : null, hint: 'first check ever',
    interval, buckets, values, ...(earlier ? { earlier: sums(earlier, was)[1] } : {}),
  };
}
