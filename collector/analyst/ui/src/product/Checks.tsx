// Update checks over time, with the period before.

import { useRef } from 'preact/hooks';
import { before } from '../api';
import { bucketsOf } from '../days';
import { Card } from '../parts/Card';
import { TimeChart } from '../parts/TimeChart';
import { Explained } from '../panels/Explained';
import { missing, scope, useDash } from '../state';
import { Trouble } from '../Trouble';
import { useAnswer } from '../useAnswer';
import { useSeen } from '../useSeen';
import { ALL_ROWS, marksOf, overTime, useDays } from './series';

const REPORT = 'update_checks';

export function Checks() {
  const { view, catalogue, property } = useDash();
  const root = useRef<HTMLDivElement>(null);
  const interval = useDays();
  const lacks = missing(catalogue, REPORT, view.filters);
  const asked = useAnswer(REPORT, scope(view, { interval, limit: ALL_ROWS }), useSeen(root) && lacks.length === 0);
  const { answer } = asked;
  const earlier = answer ? before(answer) : undefined;
  const buckets = answer ? bucketsOf(answer.from, answer.to, interval) : [];
  return (
    <div class="panel" ref={root}>
      <Card title="Update checks" notes={answer?.notes ?? []} busy={asked.loading}>
        {lacks.length > 0 && <Explained report={REPORT} dimensions={lacks} />}
        {asked.error && <Trouble error={asked.error} again={asked.again} />}
        {answer && (
          <TimeChart
            name={`Update checks by ${interval}`}
            buckets={buckets}
            interval={interval}
            series={[{
              label: 'Update checks',
              values: overTime(answer, buckets, interval),
              ...(earlier ? { earlier: overTime(earlier, bucketsOf(earlier.from, earlier.to, interval), interval) } : {}),
            }]}
            marks={marksOf(property, buckets, interval)}
          />
        )}
        {lacks.length === 0 && !answer && !asked.error && <div class="chart-space" />}
      </Card>
    </div>
  );
}
