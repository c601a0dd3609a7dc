// How versions take over from each other: the share of each in what is active, over time.

import { useRef } from 'preact/hooks';
import { lines } from '../api';
import type { Answer, Interval } from '../api';
import { bucketsOf } from '../days';
import { percent, roundPercent } from '../format';
import { Card } from '../parts/Card';
import { TimeChart } from '../parts/TimeChart';
import type { Series } from '../parts/TimeChart';
import { Explained } from '../panels/Explained';
import { missing, scope, useDash } from '../state';
import { Trouble } from '../Trouble';
import { useAnswer } from '../useAnswer';
import { useSeen } from '../useSeen';
import { events } from './active';
import { ALL_ROWS, marksOf, overTime, useDays } from './series';

const REPORT = 'active_by_version';
const NAMED = 6;
const REST = 8; // its colour
const NOTES = ['Of the installations active on a day, how many run each version. The six most used are named, the rest is one.'];

export function Adoption() {
  const { view, catalogue, property } = useDash();
  const root = useRef<HTMLDivElement>(null);
  const interval = useDays();
  const lacks = missing(catalogue, REPORT, view.filters);
  const ready = useSeen(root) && lacks.length === 0;
  const asked = useAnswer(REPORT, scope(view, { by: ['version'], interval, limit: ALL_ROWS, compare: '' }), ready);
  const { answer } = asked;
  const buckets = answer ? bucketsOf(answer.from, answer.to, interval) : [];
  return (
    <div class="panel panel-wide" ref={root}>
      <Card title="Version adoption" notes={[...NOTES, ...(answer?.notes ?? [])]} busy={asked.loading}>
        {lacks.length > 0 && <Explained report={REPORT} dimensions={lacks} />}
        {asked.error && <Trouble error={asked.error} again={asked.again} />}
        {answer && (
          <TimeChart
            name={`Versions in use, shares by ${interval}`}
            buckets={buckets}
            interval={interval}
            series={shares(answer, buckets, interval)}
            format={percent}
            axis={roundPercent}
            marks={marksOf(property, buckets, interval)}
            stacked
            top={1}
          />
        )}
        {lacks.length === 0 && !answer && !asked.error && <div class="chart-space" />}
      </Card>
    </div>
  );
}

/** The most used versions, oldest lowest, and the rest on top. */
function shares(answer: Answer, buckets: string[], interval: Interval): Series[] {
  const totals = new Map<string, number>();
  for (const line of lines(answer)) {
    const version = String(line['version']);
    totals.set(version, (totals.get(version) ?? 0) + events(line));
  }
  const named = [...totals]
    .filter(([version]) => !version.startsWith('('))
    .sort(([, one], [, other]) => other - one)
    .slice(0, NAMED)
    .map(([version]) => version)
    .sort((one, other) => one.localeCompare(other, 'en', { numeric: true }));
  const all = overTime(answer, buckets, interval);
  const shareOf = (counts: (version: string) => boolean) =>
    overTime(answer, buckets, interval, (line) => counts(String(line['version'])))
      .map((count, place) => (count !== null && all[place] ? count / all[place] : null));
  const series: Series[] = named.map((version) => ({ label: version, values: shareOf((one) => one === version) }));
  if (totals.size > named.length) series.push({ label: 'The rest', values: shareOf((one) => !named.includes(one)), colour: REST });
  return series;
}
