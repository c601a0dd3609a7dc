// Values by size, each with a bar behind it: a table to those who listen to it. A row is a button where it can be picked.

import { number, roundPercent } from '../format';
import { OTHER_TELLS, Term } from './Term';

export interface BarRow {
  /** What is picked. */
  value: string;
  /** What is shown. */
  label: string;
  amount: number;
  /** Shown in place of the amount. */
  text?: string;
  /** 0 to 1; absent: no share is shown. */
  share?: number | null;
  picked?: boolean;
}

interface Props {
  /** For those who do not see the heading. */
  caption: string;
  /** Heads of the columns. */
  what: string;
  measure: string;
  rows: BarRow[];
  onPick?: (value: string) => void;
}

export function BarList({ caption, what, measure, rows, onPick }: Props) {
  const most = Math.max(...rows.map(({ amount }) => amount), 0);
  const shares = rows.some(({ share }) => typeof share === 'number');
  return (
    <table class="bars">
      <caption class="hidden">{caption}</caption>
      <thead>
        <tr>
          <th scope="col">{what}</th>
          <th scope="col" class="num">{measure}</th>
          {shares && <th scope="col" class="num bars-share"><span class="hidden">Share</span></th>}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.value} class={row.picked ? 'is-picked' : undefined}>
            <th scope="row">
              <span class="bar" style={{ width: most > 0 ? `${(100 * row.amount) / most}%` : '0' }} />
              <Label row={row} onPick={onPick} />
            </th>
            <td class="num">{row.text ?? number(row.amount)}</td>
            {shares && <td class="num bars-share">{typeof row.share === 'number' ? roundPercent(row.share) : ''}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Label({ row, onPick }: { row: BarRow; onPick?: (value: string) => void }) {
  if (row.value === '(other)') return <Term label={row.label} tells={OTHER_TELLS} />;
  if (!onPick) return <span class="bars-label" title={row.label}>{row.label}</span>;
  return (
    <button
      type="button"
      class="bars-label"
      title={row.label}
      aria-pressed={row.picked ?? false}
      onClick={() => onPick(row.value)}
    >
      {row.label}
    </button>
  );
}
