// Where the product is in use: the map, and the list beside it.

import { useRef } from 'preact/hooks';
import { Card } from '../parts/Card';
import { Explained } from '../panels/Explained';
import { Body, Foot } from '../panels/PanelCard';
import { useRows } from '../panels/useRows';
import { missing, picked, useDash } from '../state';
import { useSeen } from '../useSeen';
import { WorldMap } from '../world/WorldMap';
import { ACTIVE_COUNTRIES as TAB } from './panels';

const ALL = 300; // there are not that many countries
const MOST = 9;

export function ActiveCountries() {
  const { view, change, catalogue } = useDash();
  const root = useRef<HTMLDivElement>(null);
  const lacks = missing(catalogue, TAB.report, view.filters);
  const asked = useRows(TAB, ALL, useSeen(root) && lacks.length === 0);
  const values = Object.fromEntries(asked.rows.map((row) => [String(row['country']), Number(row['events'])]));
  return (
    <div class="panel panel-wide" ref={root}>
      <Card
        title={TAB.label}
        notes={[...(TAB.notes ?? []), ...(asked.answer?.notes ?? [])]}
        busy={asked.loading}
        foot={asked.rows.length > 0 && <Foot tab={TAB} asked={asked} />}
      >
        {lacks.length > 0 ? <Explained report={TAB.report} dimensions={lacks} /> : (
          <div class="countries">
            <WorldMap
              values={values}
              measure="active days"
              onPick={(code) => change({ filters: picked(view.filters, 'country', code) })}
            />
            <Body tab={TAB} asked={{ ...asked, rows: asked.rows.slice(0, MOST) }} />
          </div>
        )}
      </Card>
    </div>
  );
}
