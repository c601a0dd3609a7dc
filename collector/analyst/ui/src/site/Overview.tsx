// The tiles and, below them, the one that is chosen over time.

import type { Answer, Filter, Interval } from '../api';
import { bucketOf, bucketsOf, today } from '../days';
import { changeOf, range } from '../format';
import { useDash } from '../state';
import { Note } from '../parts/Note';
import { Tile } from '../parts/Tile';
import { TimeChart } from '../parts/TimeChart';
import { Trouble } from '../Trouble';
import { dimensionName } from '../words';
import { METRICS, METRICS_OF_PAGE, valuesOf } from './figures';
import type { Figures, Metric } from './figures';
import type { Overall } from './useFigures';

export function Overview({ overall }: { overall: Overall }) {
  const { view, change } = useDash();
  const { asked, interval, filters, answer, now, before } = overall;
  const metrics = filters.some(({ dimension }) => dimension === 'path') ? METRICS_OF_PAGE : METRICS;
  const metric = metrics.find(({ name }) => name === view.metric) ?? metrics[0]!;
  const failed = asked.find(({ error }) => error);
  return (
    <section class="card card-wide overview" aria-label="Overview" aria-busy={asked.some(({ loading }) => loading)}>
      <p class="hidden" role="status">{asked.some(({ loading }) => loading) ? 'Loading' : ''}</p>
      {failed?.error && <Trouble error={failed.error} again={() => asked.forEach(({ error, again }) => error && again())} />}
      {asked.length === 0 && <p class="explained">No report has all of these filters. Remove one of them.</p>}
      <div class="tiles" role="group" aria-label="Figures; the chosen one is in the chart">
        {metrics.map((one) => (
          <Tile
            key={one.name}
            label={one.label}
            value={one.text(one.of(now.total))}
            change={before && answer && !isGrowing(answer) ? changeBetween(one, now, before) : null}
            points={one.points ?? false}
            {...(before ? { earlier: `${one.text(one.of(before.total))} before` } : {})}
            better={one.better}
            hint={answer && !asked.some(({ loading }) => loading) ? hintOf(one, now, answer, filters) : ''}
            selected={one === metric}
            onSelect={() => change({ metric: one === metrics[0] ? '' : one.name })}
          />
        ))}
      </div>
      {answer && <Chart metric={metric} interval={interval} now={now} before={before} answer={answer} />}
      {!answer && <div class="chart-space" />}
      {answer && (
        <div class="overview-foot">
          <Note notes={[...new Set(asked.flatMap((one) => one.answer?.notes ?? []))]} about="Overview" />
          <p>
            {range(answer.from, answer.to)} UTC
            {answer.earlier && `, compared with ${range(answer.earlier.from, answer.earlier.to)}`}
            {answer.to >= today() && '. What is not over is dashed.'}
          </p>
        </div>
      )}
    </section>
  );
}

/** A day that is not over says nothing against a whole one. */
function isGrowing(answer: Answer): boolean {
  return answer.from === answer.to && answer.to >= today();
}

function changeBetween(metric: Metric, now: Figures, before: Figures): number | null {
  const [value, was] = [metric.of(now.total), metric.of(before.total)];
  if (metric.points) return value === null || was === null ? null : value - was;
  return changeOf(value, was);
}

/** What a tile's number is, or why there is none. */
function hintOf(metric: Metric, now: Figures, answer: Answer, filters: Filter[]): string {
  const filtered = [...new Set(filters.map(({ dimension }) => dimension))];
  if (metric.of(now.total) === null) {
    if (metric.name === 'visitors' && filtered.length > 0) return 'of several rows: they overlap';
    if (filtered.length > 0) return `not counted by ${filtered.map(dimensionName).join(' and ').toLowerCase()}`;
    return metric.byDay ? 'needs the beacon’s page_leave' : '';
  }
  if (metric.name === 'visitors' && answer.from !== answer.to) return 'visitor-days';
  if (metric.name === 'visits' && filtered.includes('path')) return 'that began here';
  return isGrowing(answer) ? 'so far' : '';
}

interface ChartProps {
  metric: Metric;
  interval: Interval;
  now: Figures;
  before: Figures | null;
  answer: Answer;
}

function Chart({ metric, interval, now, before, answer }: ChartProps) {
  const { property } = useDash();
  if (metric.byDay && interval === 'hour') {
    return <p class="explained chart-space">{metric.label} is counted by the day. Choose a longer period, or by day.</p>;
  }
  if (metric.of(now.total) === null) return <p class="explained chart-space">Nothing is kept that tells {metric.label.toLowerCase()} here.</p>;
  const buckets = bucketsOf(answer.from, answer.to, interval);
  const earlier = answer.earlier && before ? valuesOf(metric, before, bucketsOf(answer.earlier.from, answer.earlier.to, interval), interval) : undefined;
  const marks = property.annotations
    .filter(({ day }) => day >= answer.from && day <= answer.to && interval !== 'hour')
    .map(({ day, text }) => ({ bucket: bucketOf(day, interval), text }));
  return (
    <TimeChart
      name={`${metric.label} by ${interval}`}
      buckets={buckets}
      interval={interval}
      series={[{ label: metric.label, values: valuesOf(metric, now, buckets, interval), ...(earlier ? { earlier } : {}) }]}
      format={metric.text}
      marks={marks}
    />
  );
}
