// The cohort table: of those new in a week, how many are still active so many weeks later.

import { useRef } from 'preact/hooks';
import { csvAddress } from '../api';
import { bucketOf, bucketsOf, plusDays } from '../days';
import { bucketName, bucketTick, number, roundPercent } from '../format';
import { Card } from '../parts/Card';
import { Explained } from '../panels/Explained';
import { useDash } from '../state';
import { Trouble } from '../Trouble';
import { useAnswer } from '../useAnswer';
import { useSeen } from '../useSeen';
import { endOf } from './active';
import { WEEKS, cohorts } from './cohorts';
import type { Cell, Cohort } from './cohorts';

const SHADES = [0.1, 0.25, 0.45, 0.65]; // where shades 2 to 5 begin
const LIMIT = 1_000;
const NOTES = [
  'Installations tell their age in whole weeks, and no more of themselves: those k weeks old this week are those that were '
  + 'new k weeks ago. A reinstallation counts as new.',
  'Ages that too few networks stand behind on a day are in “Other” that day, so small cohorts look smaller than they are.',
];

export function Retention() {
  const { view } = useDash();
  const root = useRef<HTMLDivElement>(null);
  const lacks = [...new Set(view.filters.map(({ dimension }) => dimension))];
  const ready = useSeen(root) && lacks.length === 0;
  const to = endOf(view);
  const from = plusDays(bucketOf(to, 'week'), -7 * WEEKS);
  const params = { property: view.property, from, to, interval: 'week' as const, limit: LIMIT };
  const ages = useAnswer('retention', { ...params, by: ['age'] }, ready);
  const actives = useAnswer('active', { ...params, by: ['first'] }, ready);
  const error = ages.error ?? actives.error;
  const rows = ages.answer && actives.answer ? cohorts(bucketsOf(from, to, 'week'), ages.answer, actives.answer) : null;
  const again = () => [ages, actives].forEach((one) => one.again());
  return (
    <div class="panel panel-wide" ref={root}>
      <Card
        title="Retention"
        notes={[...NOTES, ...(ages.answer?.notes ?? [])]}
        busy={ages.loading || actives.loading}
        foot={rows && rows.length > 0 && (
          <>
            <span><span class="cohort-open-key">Dashed</span>: the week is not over. –: too few to be named.</span>
            <a href={csvAddress('retention', { ...params, by: ['age'] })} download>CSV of ages by week</a>
          </>
        )}
      >
        {lacks.length > 0 && <Explained report="retention" dimensions={lacks} />}
        {error && <Trouble error={error} again={again} />}
        {rows && (rows.length > 0 ? <Table rows={rows} /> : <p class="explained">No installation was new in these weeks.</p>)}
        {lacks.length === 0 && !rows && !error && <div class="cohort-space" />}
      </Card>
    </div>
  );
}

function Table({ rows }: { rows: Cohort[] }) {
  const ages = Array.from({ length: WEEKS }, (_, place) => place + 1);
  const caption = 'Of the installations new in a week, the share still active so many weeks later';
  return (
    <>
      <p class="cohort-caption" aria-hidden="true">{caption}</p>
      <div class="table-frame" tabIndex={0} role="region" aria-label={caption}>
        <table class="cohort">
          <caption class="hidden">{caption}</caption>
          <thead>
            <tr>
              <th scope="col">New in the week of</th>
              <th scope="col" class="num">New</th>
              {ages.map((age) => <th key={age} scope="col" class="num"><span class="hidden">After week </span>{age}</th>)}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ week, fresh, cells }) => (
              <tr key={week}>
                <th scope="row" title={bucketName(week, 'week')}>{bucketTick(week, 'week')}</th>
                <td class="num">{number(fresh)}</td>
                {ages.map((age, place) => <Share key={age} cell={cells[place]} />)}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function Share({ cell }: { cell: Cell | undefined }) {
  if (!cell) return <td />;
  if (cell.share === null) return <td class="cohort-cell" title="Too few to be named">–</td>;
  const shade = 1 + SHADES.filter((begin) => cell.share! >= begin).length;
  const title = `${number(cell.count)} active in the ${bucketName(cell.week, 'week').replace('Week', 'week')}`;
  return (
    <td class={`cohort-cell heat-${shade}${cell.open ? ' is-open' : ''}`} title={title}>
      {roundPercent(cell.share)}
      {cell.open && <span class="hidden"> so far</span>}
    </td>
  );
}
