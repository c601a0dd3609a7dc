// Recommendations of the side window: shown, clicked, dismissed, and click-through, by item, by slot, or by both.

import { useRef, useState } from 'preact/hooks';
import { csvAddress, lines } from '../api';
import type { Line } from '../api';
import { number, percent, valueName } from '../format';
import { Card } from '../parts/Card';
import { Table } from '../parts/Table';
import type { Column } from '../parts/Table';
import { OTHER_TELLS, Term } from '../parts/Term';
import { Explained } from '../panels/Explained';
import { missing, picked, scope, useDash } from '../state';
import { Trouble } from '../Trouble';
import { useAnswer } from '../useAnswer';
import { useSeen } from '../useSeen';
import { dimensionName } from '../words';

const REPORT = 'recommendations';
const LIMIT = 10_000;
const TABS = [
  { label: 'Item', by: ['item'] },
  { label: 'Slot', by: ['slot'] },
  { label: 'Item and slot', by: ['item', 'slot'] },
];
const NOTES = ['Click-through is how often it was clicked, of how often it was shown. Installations report both with a check.'];

interface Row {
  key: string;
  values: Record<string, string>;
  shown: number;
  clicked: number;
  dismissed: number;
  rate: number | null;
}

export function Recommendations() {
  const { view, change, catalogue } = useDash();
  const root = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState(0);
  const [sort, setSort] = useState('-shown');
  const by = TABS[place]!.by;
  const lacks = missing(catalogue, REPORT, view.filters);
  const params = scope(view, { by: [...by, 'action'], limit: LIMIT, compare: '' });
  const asked = useAnswer(REPORT, params, useSeen(root) && lacks.length === 0);
  const rows = asked.answer ? sorted(rowsOf(lines(asked.answer), by), sort) : null;
  const name = by.includes(sort.replace('-', '')) || !['item', 'slot'].includes(sort.replace('-', '')) ? sort : '-shown';
  return (
    <div class="panel panel-wide" ref={root}>
      <Card
        title="Recommendations"
        notes={[...NOTES, ...(asked.answer?.notes ?? [])]}
        busy={asked.loading}
        actions={(
          <div role="group" aria-label="Recommendations: by what">
            {TABS.map(({ label }, at) => (
              <button key={label} type="button" class="tab" aria-pressed={at === place} onClick={() => setPlace(at)}>{label}</button>
            ))}
          </div>
        )}
        foot={rows && rows.length > 0 && (
          <>
            <a href={csvAddress(REPORT, params)} download>CSV</a>
            <button type="button" class="button-link" onClick={() => change({ details: REPORT })}>
              Details<span class="hidden"> of recommendations</span>
            </button>
          </>
        )}
      >
        {lacks.length > 0 && <Explained report={REPORT} dimensions={lacks} />}
        {asked.error && <Trouble error={asked.error} again={asked.again} />}
        {rows && rows.length === 0 && <p class="explained">Nothing was counted here in this period.</p>}
        {rows && rows.length > 0 && (
          <Table
            caption="Recommendations and their click-through"
            columns={columnsOf(by)}
            rows={rows}
            keyOf={({ key }) => key}
            sort={name}
            onSort={setSort}
          />
        )}
      </Card>
    </div>
  );

  function columnsOf(dimensions: string[]): Column<Row>[] {
    const pick = (dimension: string, value: string) => change({ filters: picked(view.filters, dimension, value) });
    return [
      ...dimensions.map((dimension): Column<Row> => ({
        name: dimension, head: dimensionName(dimension), sortable: true,
        cell: ({ values }) => <Value dimension={dimension} value={values[dimension]!} onPick={pick} />,
      })),
      { name: 'shown', head: 'Shown', numeric: true, sortable: true, cell: (row) => number(row.shown) },
      { name: 'clicked', head: 'Clicked', numeric: true, sortable: true, cell: (row) => number(row.clicked) },
      { name: 'rate', head: 'Click-through', numeric: true, sortable: true, cell: (row) => <b>{percent(row.rate)}</b> },
      { name: 'dismissed', head: 'Dismissed', numeric: true, sortable: true, cell: (row) => number(row.dismissed) },
    ];
  }
}

function Value({ dimension, value, onPick }: { dimension: string; value: string; onPick: (dimension: string, value: string) => void }) {
  const label = valueName(dimension, value);
  if (value === '(other)') return <Term label={label} tells={OTHER_TELLS} />;
  return <button type="button" class="button-link value-pick" onClick={() => onPick(dimension, value)}>{label}</button>;
}

/** One row for all actions of the same values. */
function rowsOf(all: Line[], by: string[]): Row[] {
  const rows = new Map<string, Row>();
  for (const line of all) {
    const values = Object.fromEntries(by.map((name) => [name, String(line[name])]));
    const key = Object.values(values).join('\u0000');
    const row = rows.get(key) ?? { key, values, shown: 0, clicked: 0, dismissed: 0, rate: null };
    rows.set(key, row);
    const action = line['action'];
    if (action === 'shown' || action === 'clicked' || action === 'dismissed') row[action] += Number(line['amount'] ?? 0);
  }
  return [...rows.values()].map((row) => ({ ...row, rate: row.shown > 0 ? row.clicked / row.shown : null }));
}

function sorted(rows: Row[], sort: string): Row[] {
  const name = sort.replace('-', '');
  const sign = sort.startsWith('-') ? -1 : 1;
  const of = (row: Row) => row.values[name] ?? row[name as 'shown' | 'clicked' | 'dismissed' | 'rate'] ?? 0;
  return [...rows].sort((one, other) => sign * (of(one) < of(other) ? -1 : of(one) > of(other) ? 1 : 0));
}
