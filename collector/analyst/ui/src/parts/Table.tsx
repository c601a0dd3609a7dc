// Rows and columns with heads that sort. It scrolls inside its own frame where the screen is narrow.

import type { ComponentChildren } from 'preact';

export interface Column<Row> {
  name: string;
  head: string;
  cell: (row: Row) => ComponentChildren;
  numeric?: boolean;
  /** Heads of sortable columns are buttons. */
  sortable?: boolean;
}

interface Props<Row> {
  caption: string;
  columns: Column<Row>[];
  rows: Row[];
  keyOf: (row: Row) => string;
  /** As the API spells it: a column's name, with - for descending. */
  sort?: string;
  onSort?: (sort: string) => void;
}

export function Table<Row>({ caption, columns, rows, keyOf, sort, onSort }: Props<Row>) {
  return (
    <div class="table-frame" tabIndex={0} role="region" aria-label={caption}>
      <table class="table">
        <caption class="hidden">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <Head key={column.name} column={column} sort={sort} onSort={onSort} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map((column, place) =>
                place === 0
                  ? <th key={column.name} scope="row">{column.cell(row)}</th>
                  : <td key={column.name} class={column.numeric ? 'num' : undefined}>{column.cell(row)}</td>,
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface HeadProps<Row> {
  column: Column<Row>;
  sort: string | undefined;
  onSort: ((sort: string) => void) | undefined;
}

function Head<Row>({ column, sort, onSort }: HeadProps<Row>) {
  const kind = column.numeric ? 'num' : undefined;
  if (!column.sortable || !onSort) return <th scope="col" class={kind}>{column.head}</th>;
  const falling = sort === `-${column.name}`;
  const rising = sort === column.name;
  const next = falling || (!rising && !column.numeric) ? column.name : `-${column.name}`;
  return (
    <th scope="col" class={kind} aria-sort={falling ? 'descending' : rising ? 'ascending' : 'none'}>
      <button type="button" class="table-sort" onClick={() => onSort(next)}>
        {column.head}
        <span aria-hidden="true">{falling ? ' ↓' : rising ? ' ↑' : ''}</span>
      </button>
    </th>
  );
}
