// One number with what it is called and how it changed. A tile with `onSelect` chooses what the chart shows.

import { change as changeText } from '../format';

interface Props {
  label: string;
  value: string;
  /** As a share: 0.1 is ten percent more. Null: nothing to say. */
  change?: number | null;
  /** What it was, in words for a tooltip: "1,204 before". */
  earlier?: string;
  /** Which direction is good news. */
  better?: 'up' | 'down' | 'neither';
  /** A small line below: what the number is, or why there is none. */
  hint?: string;
  selected?: boolean;
  onSelect?: () => void;
}

export function Tile({ label, value, change, earlier, better = 'up', hint, selected, onSelect }: Props) {
  const inside = (
    <>
      <span class="tile-label">{label}</span>
      <span class="tile-value">{value}</span>
      {typeof change === 'number' && (
        <span class={`tile-change ${mood(change, better)}`} title={earlier}>
          <span aria-hidden="true">{arrow(change)}</span> {changeText(change)}
          <span class="hidden"> against earlier</span>
        </span>
      )}
      {hint && <span class="tile-hint">{hint}</span>}
    </>
  );
  if (!onSelect) return <div class="tile">{inside}</div>;
  return (
    <button type="button" class="tile tile-choice" aria-pressed={selected ?? false} onClick={onSelect}>
      {inside}
    </button>
  );
}

const same = (change: number) => Math.abs(change) < 0.005;
const arrow = (change: number) => (same(change) ? '→' : change > 0 ? '↑' : '↓');

function mood(change: number, better: 'up' | 'down' | 'neither'): string {
  if (same(change) || better === 'neither') return 'is-even';
  return change > 0 === (better === 'up') ? 'is-good' : 'is-bad';
}
