// From download to installation, and what is left: installs against uninstalls, and the net of both.

import { before } from '../api';
import type { Answer } from '../api';
import { bucketsOf } from '../days';
import { changeOf, number, percent } from '../format';
import { Card } from '../parts/Card';
import { Tile } from '../parts/Tile';
import { TimeChart } from '../parts/TimeChart';
import type { Series } from '../parts/TimeChart';
import { missing, scope, useDash } from '../state';
import { Trouble } from '../Trouble';
import { useAnswer } from '../useAnswer';
import { dimensionName } from '../words';
import { isGrowing } from './active';
import { ALL_ROWS, marksOf, overTime, useDays } from './series';

const NOTES = [
  'A download is a file asked for through its counting link, an install is one that ended well, as the installer reports '
  + 'it. Updates and copies from elsewhere install without a download, so the ratio may be over 100 %.',
];
type Maybe = number | null;

export function Growth() {
  const { view, property } = useDash();
  const interval = useDays();
  const [downloads, installs, uninstalls] = [useCount('downloads'), useCount('installs'), useCount('uninstalls')];
  const all = [downloads, installs, uninstalls];
  const failed = all.find(({ error }) => error);
  const answer = all.find((one) => one.answer)?.answer ?? null;
  const buckets = answer ? bucketsOf(answer.from, answer.to, interval) : [];
  const series = seriesOf(installs.answer, uninstalls.answer, buckets, interval);
  return (
    <Card
      title="Downloads, installs, uninstalls"
      notes={[...new Set([...NOTES, ...all.flatMap((one) => one.answer?.notes ?? [])])]}
      busy={all.some(({ loading }) => loading)}
      wide
    >
      {failed?.error && <Trouble error={failed.error} again={failed.again} />}
      <div class="tiles growth-tiles">
        <CountTile label="Downloads" of={(at) => at(downloads)} lacks={downloads.lacks} />
        <CountTile label="Installs" of={(at) => at(installs)} lacks={installs.lacks} />
        <CountTile
          label="Installs per download"
          of={(at) => over(at(installs), at(downloads))}
          share
          better="neither"
          lacks={[...downloads.lacks, ...installs.lacks]}
        />
        <CountTile label="Uninstalls" of={(at) => at(uninstalls)} better="down" lacks={uninstalls.lacks} />
        <CountTile
          label="Net"
          of={(at) => minus(at(installs), at(uninstalls))}
          hint="installs less uninstalls"
          lacks={[...installs.lacks, ...uninstalls.lacks]}
        />
      </div>
      {series.length > 0 && (
        <TimeChart
          key={view.property}
          name={`Installs and uninstalls by ${interval}`}
          buckets={buckets}
          interval={interval}
          series={series}
          marks={marksOf(property, buckets, interval)}
        />
      )}
      {series.length === 0 && <div class="chart-space" />}
    </Card>
  );
}

const over = (above: Maybe, below: Maybe): Maybe => (above === null || !below ? null : above / below);
const minus = (one: Maybe, other: Maybe): Maybe => (one === null || other === null ? null : one - other);

/** A report's events by bucket, as far as it has the filtered dimensions. */
function useCount(report: string) {
  const { view, catalogue } = useDash();
  const lacks = missing(catalogue, report, view.filters);
  const asked = useAnswer(report, scope(view, { interval: useDays(), limit: ALL_ROWS }), lacks.length === 0);
  return { ...asked, lacks };
}

type Count = ReturnType<typeof useCount>;
interface CountTileProps {
  label: string;
  /** The number, of the totals `at` takes from a count: those of the range or those before. */
  of: (at: (count: Count) => Maybe) => Maybe;
  lacks: string[];
  share?: boolean;
  better?: 'up' | 'down' | 'neither';
  hint?: string;
}

function CountTile({ label, of, lacks, share = false, better = 'up', hint = '' }: CountTileProps) {
  const { view } = useDash();
  const value = of(({ answer }) => answer?.totals['events'] ?? null);
  const was = view.compare === '' ? null : of(({ answer }) => (answer && !isGrowing(answer) && before(answer) || undefined)?.totals['events'] ?? null);
  const text = share ? percent : number;
  const change = share ? minus(value, was) : changeOf(value, was);
  const words = [...new Set(lacks)].map(dimensionName).join(' and ').toLowerCase();
  return (
    <Tile
      label={label}
      value={text(value)}
      change={change}
      points={share}
      {...(was === null ? {} : { earlier: `${text(was)} before` })}
      better={better}
      hint={lacks.length > 0 ? `not counted by ${words}` : hint}
    />
  );
}

function seriesOf(installs: Answer | null, uninstalls: Answer | null, buckets: string[], interval: 'hour' | 'day' | 'week' | 'month'): Series[] {
  const came = installs && overTime(installs, buckets, interval);
  const went = uninstalls && overTime(uninstalls, buckets, interval);
  const series: Series[] = [];
  if (came) series.push({ label: 'Installs', values: came, colour: 3 });
  if (went) series.push({ label: 'Uninstalls', values: went, colour: 5 });
  if (came && went) series.push({ label: 'Net', values: came.map((count, place) => minus(count, went[place] ?? null)), colour: 1 });
  return series;
}
