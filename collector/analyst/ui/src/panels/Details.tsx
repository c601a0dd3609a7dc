// A panel's whole report: searched, sorted and paged by the collector, and as CSV exactly what is shown.

import { useEffect, useRef, useState } from 'preact/hooks';
import { before, csvAddress, lines } from '../api';
import type { Answer, Filter, Line, Params } from '../api';
import { change as changeText, changeOf, duration, number, percent, range, valueName } from '../format';
import { OTHER_TELLS, Term } from '../parts/Term';
import { Note } from '../parts/Note';
import { Table } from '../parts/Table';
import type { Column } from '../parts/Table';
import { reportOf, scope, useDash } from '../state';
import { Trouble } from '../Trouble';
import { useAnswer } from '../useAnswer';
import { dimensionName, reportName } from '../words';
import type { Tab } from './panel';
import { searchFilter } from './search';

const PAGE = 50;
const ALL = 100_000;

export function Details({ tab }: { tab: Tab }) {
  const { view, change, catalogue } = useDash();
  const [sort, setSort] = useState(tab.sort ?? '-events');
  const [page, setPage] = useState(0);
  const [search, setSearch] = useState('');
  const report = reportOf(catalogue, tab.report);
  const by = [...tab.by, ...(report?.by.map(({ name }) => name).filter((name) => !tab.by.includes(name)) ?? [])];
  const found = searchFilter(tab.by[0]!, search);
  const filters: Filter[] = found ? [...view.filters, found] : view.filters;
  const shown: Params = scope(view, { by, sort, filters, limit: PAGE, offset: page * PAGE });
  // One row more than is shown tells whether there is a next page.
  const asked = useAnswer(tab.report, { ...shown, limit: PAGE + 1 });
  const rows = asked.answer ? lines(asked.answer) : [];
  return (
    <Dialog title={reportName(tab.report)} onClose={() => change({ details: '' })}>
      <div class="details-bar">
        <Search
          label={dimensionName(tab.by[0]!)}
          onSearch={(text) => {
            setSearch(text);
            setPage(0);
          }}
        />
        <Note notes={asked.answer?.notes ?? []} about={reportName(tab.report)} />
        <a class="button" href={csvAddress(tab.report, shown)} download>CSV of this page</a>
        <a class="button" href={csvAddress(tab.report, { ...shown, limit: ALL, offset: 0 })} download>CSV of all</a>
      </div>
      {asked.error && <Trouble error={asked.error} again={asked.again} />}
      <div aria-busy={asked.loading} class="details-rows">
        {asked.answer && (
          <Table
            caption={`${report?.question ?? reportName(tab.report)} ${range(asked.answer.from, asked.answer.to)}`}
            columns={columnsOf(asked.answer.columns, by, tab, earlierOf(asked.answer, by))}
            rows={rows.slice(0, PAGE)}
            keyOf={(row) => keyOf(row, by)}
            sort={sort}
            onSort={(next) => {
              setSort(next);
              setPage(0);
            }}
          />
        )}
        {asked.answer && rows.length === 0 && <p class="explained">Nothing found.</p>}
      </div>
      <nav class="details-pages" aria-label="Pages of the table">
        <button type="button" class="button" disabled={page === 0} onClick={() => setPage(page - 1)}>Previous</button>
        <span role="status">
          {rows.length > 0 && `Rows ${number(page * PAGE + 1)} to ${number(page * PAGE + Math.min(PAGE, rows.length))}`}
        </span>
        <button type="button" class="button" disabled={rows.length <= PAGE} onClick={() => setPage(page + 1)}>Next</button>
      </nav>
    </Dialog>
  );
}

function Search({ label, onSearch }: { label: string; onSearch: (text: string) => void }) {
  const [text, setText] = useState('');
  return (
    <form
      class="details-search"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        onSearch(text.trim());
      }}
    >
      <label>
        <span class="hidden">{label} begins with</span>
        <input
          class="field"
          type="search"
          autofocus
          placeholder={`${label} begins with…`}
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value);
            if (event.currentTarget.value === '') onSearch('');
          }}
        />
      </label>
      <button type="submit" class="button">Search</button>
    </form>
  );
}

const MEASURES: Record<string, string> = {
  events: 'Events', visitors: 'Visitors', visitor_days: 'Visitor-days', new_visitors: 'New visitors',
};
const keyOf = (row: Line, by: string[]): string => by.map((name) => row[name]).join('\u0000');

/** The earlier events of the same values. */
function earlierOf(answer: Answer, by: string[]): Map<string, number> | null {
  const part = before(answer);
  return part ? new Map(lines(part).map((row) => [keyOf(row, by), Number(row['events'])])) : null;
}

function columnsOf(names: string[], by: string[], tab: Tab, earlier: Map<string, number> | null): Column<Line>[] {
  const columns = names.map((name): Column<Line> => {
    if (by.includes(name)) return { name, head: dimensionName(name), sortable: true, cell: (row) => <Value name={name} row={row} /> };
    const head = name === 'events' ? headOfEvents(tab) : name === 'amount' ? headOfAmount(tab) : (MEASURES[name] ?? name);
    const text = name === 'amount' && tab.report === 'page_time' ? duration : number;
    return { name, head, sortable: true, numeric: true, cell: (row) => text(row[name] as number | null) };
  });
  if (tab.report === 'bounces') {
    columns.push({ name: 'rate', head: 'Bounce rate', numeric: true, cell: (row) => percent(tab.amount?.(row) ?? null) });
  }
  if (earlier) {
    const cell = (row: Line) => changeText(changeOf(Number(row['events']), earlier.get(keyOf(row, by)) ?? null));
    columns.push({ name: 'change', head: 'Change', numeric: true, cell });
  }
  return columns;
}

function headOfEvents(tab: Tab): string {
  if (tab.report === 'bounces') return 'Visits begun';
  return tab.report === 'page_time' ? 'Times left' : tab.measure;
}

function headOfAmount(tab: Tab): string {
  if (tab.report === 'bounces') return 'Ended there';
  return tab.report === 'page_time' ? 'Time in total' : 'Amount';
}

function Value({ name, row }: { name: string; row: Line }) {
  const value = String(row[name]);
  const label = valueName(name, value);
  return value === '(other)' ? <Term label={label} tells={OTHER_TELLS} /> : <>{label}</>;
}

/** A dialog over the page; Escape and the button close it, and the focus goes back where it was. */
function Dialog({ title, onClose, children }: { title: string; onClose: () => void; children: preact.ComponentChildren }) {
  const root = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    root.current?.showModal();
    return () => before instanceof HTMLElement && before.focus();
  }, []);
  return (
    <dialog
      class="details"
      ref={root}
      aria-labelledby="details"
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => event.target === root.current && onClose()}
    >
      <div class="details-inside">
        <header class="card-head">
          <h2 id="details">{title}</h2>
          <button type="button" class="button button-quiet details-close" onClick={onClose}>Close</button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
