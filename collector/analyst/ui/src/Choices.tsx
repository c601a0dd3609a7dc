// The range: period or dates of one's own, what it is compared with, how it is cut; and below it the filters that hold.

import { useState } from 'preact/hooks';
import type { Compare, Filter, Interval } from './api';
import { spelled } from './api';
import { plusDays, today } from './days';
import { valueName } from './format';
import { useDash } from './state';
import { dimensionName } from './words';

const PERIODS: [string, string][] = [
  ['today', 'Today'],
  ['yesterday', 'Yesterday'],
  ['7d', 'Last 7 days'],
  ['28d', 'Last 28 days'],
  ['90d', 'Last 90 days'],
  ['12m', 'Last 12 months'],
  ['month', 'This month'],
  ['last-month', 'Last month'],
  ['year', 'This year'],
  ['last-year', 'Last year'],
  ['all', 'All that is kept'],
  ['custom', 'Dates…'],
];
const COMPARISONS: [Compare, string][] = [
  ['', 'No comparison'],
  ['previous', 'Previous period'],
  ['year', 'A year before'],
];
const INTERVALS: [Interval | '', string][] = [
  ['', 'Automatic interval'],
  ['hour', 'By hour'],
  ['day', 'By day'],
  ['week', 'By week'],
  ['month', 'By month'],
];
const DEFAULT_DAYS = 28;

export function Choices() {
  const { view, change, property } = useDash();
  const intervals = property.sort === 'site' ? INTERVALS : INTERVALS.filter(([name]) => name !== 'hour');
  const pickPeriod = (period: string) => {
    const range = period === 'custom' ? { from: plusDays(today(), 1 - DEFAULT_DAYS), to: today() } : { from: '', to: '' };
    change({ period, ...range });
  };
  return (
    <div class="choices" role="group" aria-label="Range">
      <Choice label="Period" options={PERIODS} value={view.period} onPick={pickPeriod} />
      {view.period === 'custom' && <Dates key={view.from + view.to} />}
      <Choice label="Compare with" options={COMPARISONS} value={view.compare} onPick={(compare) => change({ compare })} />
      <Choice label="Interval" options={intervals} value={view.interval} onPick={(interval) => change({ interval })} />
      {view.filters.length > 0 && <Filters />}
    </div>
  );
}

interface ChoiceProps<Name extends string> {
  label: string;
  options: [Name, string][];
  value: Name;
  onPick: (name: Name) => void;
}

function Choice<Name extends string>({ label, options, value, onPick }: ChoiceProps<Name>) {
  return (
    <label>
      <span class="hidden">{label}</span>
      <select class="field" value={value} onChange={(event) => onPick(event.currentTarget.value as Name)}>
        {options.map(([name, words]) => <option key={name} value={name}>{words}</option>)}
        {!options.some(([name]) => name === value) && <option value={value}>{value}</option>}
      </select>
    </label>
  );
}

/** Dates of one's own, taken over once both are dates in the right order. */
function Dates() {
  const { view, change } = useDash();
  const [from, setFrom] = useState(view.from);
  const [to, setTo] = useState(view.to);
  const take = () => {
    if (from && to && from <= to && (from !== view.from || to !== view.to)) change({ period: 'custom', from, to });
  };
  const wrong = Boolean(from && to && from > to);
  return (
    <form
      class="dates"
      onSubmit={(event) => {
        event.preventDefault();
        take();
      }}
    >
      <label>
        <span class="hidden">From</span>
        <input class="field" type="date" value={from} max={to} onInput={(event) => setFrom(event.currentTarget.value)} />
      </label>
      <span aria-hidden="true">–</span>
      <label>
        <span class="hidden">To</span>
        <input class="field" type="date" value={to} min={from} onInput={(event) => setTo(event.currentTarget.value)} />
      </label>
      <button type="submit" class="button" disabled={wrong || (from === view.from && to === view.to)}>Show</button>
    </form>
  );
}

const WORDS = { '==': 'is', '!=': 'is not', '~': 'begins with' };

function Filters() {
  const { view, change } = useDash();
  const without = (gone: Filter) => view.filters.filter((filter) => filter !== gone);
  return (
    <ul class="filters" aria-label="Filters">
      {view.filters.map((filter) => {
        const values = filter.values.map((value) => valueName(filter.dimension, value)).join(' or ');
        const words = `${dimensionName(filter.dimension)} ${WORDS[filter.op]} ${values}`;
        return (
          <li key={spelled(filter)} class="filter">
            <span>{dimensionName(filter.dimension)} {WORDS[filter.op]} <strong>{values}</strong></span>
            <button type="button" aria-label={`Remove filter: ${words}`} onClick={() => change({ filters: without(filter) })}>
              ×
            </button>
          </li>
        );
      })}
      {view.filters.length > 1 && (
        <li>
          <button type="button" class="button-link" onClick={() => change({ filters: [] })}>Remove all</button>
        </li>
      )}
    </ul>
  );
}
