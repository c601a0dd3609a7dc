// Countries: the map, and the list beside it.

import { useRef } from 'preact/hooks';
import { Card } from '../parts/Card';
import { missing, picked, useDash } from '../state';
import { useSeen } from '../useSeen';
import { WorldMap } from '../world/WorldMap';
import { Explained } from '../panels/Explained';
import { Body, Foot } from '../panels/PanelCard';
import { COUNTRIES } from './panels';
import { useRows } from '../panels/useRows';

const ALL = 300; // there are not that many countries
const MOST = 9;

export function Countries() {
  const { view, change, catalogue } = useDash();
  const root = useRef<HTMLDivElement>(null);
  const lacks = missing(catalogue, COUNTRIES.report, view.filters);
  const seen = useSeen(root);
  const asked = useRows(COUNTRIES, ALL, seen && lacks.length === 0);
  const values = Object.fromEntries(asked.rows.map((row) => [String(row['country']), Number(row['events'])]));
  return (
    <div class="panel panel-wide" ref={root}>
      <Card
        title="Countries"
        notes={asked.answer?.notes ?? []}
        busy={asked.loading && lacks.length === 0}
        foot={lacks.length === 0 && asked.rows.length > 0 && <Foot tab={COUNTRIES} asked={asked} />}
      >
        {lacks.length > 0 ? <Explained report="countries" dimensions={lacks} /> : (
          <div class="countries">
            <WorldMap
              values={values}
              onPick={(code) => change({ filters: picked(view.filters, 'country', code) })}
            />
            <Body tab={COUNTRIES} asked={{ ...asked, rows: asked.rows.slice(0, MOST) }} />
          </div>
        )}
      </Card>
    </div>
  );
}
