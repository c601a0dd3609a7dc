// One panel: tabs, the first rows of a report as bars, and the way to all of them.

import { useRef, useState } from 'preact/hooks';
import { BarList } from '../parts/BarList';
import type { BarRow } from '../parts/BarList';
import { Card } from '../parts/Card';
import { missing, picked, useDash } from '../state';
import { valueName } from '../format';
import { dimensionName } from '../words';
import { Trouble } from '../Trouble';
import { useSeen } from '../useSeen';
import { Explained } from './Explained';
import { amountOf, textOf } from './panel';
import type { Panel, Tab } from './panel';
import { useRows } from './useRows';
import type { Rows } from './useRows';

const MOST = 9;

export function PanelCard({ panel }: { panel: Panel }) {
  const [place, setPlace] = useState(0);
  const tab = panel.tabs[place]!;
  const { catalogue, view } = useDash();
  const root = useRef<HTMLDivElement>(null);
  const lacks = missing(catalogue, tab.report, view.filters);
  const seen = useSeen(root);
  const asked = useRows(tab, MOST, seen && lacks.length === 0);
  const notes = [...(tab.notes ?? []), ...(asked.answer?.notes ?? [])];
  return (
    <div class="panel" ref={root}>
      <Card
        title={panel.title}
        notes={lacks.length > 0 ? [] : notes}
        busy={asked.loading && lacks.length === 0}
        actions={panel.tabs.length > 1 && <Tabs tabs={panel.tabs} place={place} onPick={setPlace} title={panel.title} />}
        foot={lacks.length === 0 && asked.rows.length > 0 && <Foot tab={tab} asked={asked} />}
      >
        {lacks.length > 0 ? <Explained report={tab.report} dimensions={lacks} /> : <Body tab={tab} asked={asked} />}
      </Card>
    </div>
  );
}

function Tabs({ tabs, place, onPick, title }: { tabs: Tab[]; place: number; onPick: (place: number) => void; title: string }) {
  return (
    <div role="group" aria-label={`${title}: which`}>
      {tabs.map(({ name, label }, at) => (
        <button key={name} type="button" class="tab" aria-pressed={at === place} onClick={() => onPick(at)}>{label}</button>
      ))}
    </div>
  );
}

/** The bars, or why there are none. */
export function Body({ tab, asked }: { tab: Tab; asked: Rows }) {
  const { view, change } = useDash();
  const dimension = tab.by[0]!;
  if (asked.error) return <Trouble error={asked.error} again={asked.again} />;
  if (!asked.answer) return <p class="explained panel-space" role="status">Loading…</p>;
  if (asked.rows.length === 0) return <p class="explained panel-space">Nothing was counted here in this period.</p>;
  return (
    <BarList
      caption={`${tab.label}: ${tab.measure}`}
      what={dimensionName(dimension)}
      measure={tab.measure}
      rows={barsOf(tab, asked, view.filters.flatMap((filter) => (filter.dimension === dimension ? filter.values : [])))}
      onPick={(value) => change({ filters: picked(view.filters, dimension, value) })}
    />
  );
}

function barsOf(tab: Tab, asked: Rows, chosen: string[]): BarRow[] {
  const dimension = tab.by[0]!;
  const total = asked.answer?.totals['events'] ?? 0;
  return asked.rows.map((row) => {
    const value = String(row[dimension]);
    const amount = amountOf(tab, row);
    return {
      value,
      label: valueName(dimension, value),
      amount: amount ?? 0,
      text: textOf(tab, amount),
      picked: chosen.includes(value),
      ...(tab.shares && total > 0 ? { share: (amount ?? 0) / total } : {}),
    };
  });
}

export function Foot({ tab, asked }: { tab: Tab; asked: Rows }) {
  const { change } = useDash();
  return (
    <>
      <span>{asked.answer?.as_of ? `As of ${asked.answer.as_of.slice(11, 16)} UTC` : ''}</span>
      <button type="button" class="button-link" onClick={() => change({ details: tab.name })}>
        Details<span class="hidden"> of {tab.label}</span>
      </button>
    </>
  );
}
