// One number with what it is called and how it changed. A tile with `onSelect` chooses what the chart shows.

import { change as changeText, points as pointsText } from '../format';

interface Props {
  label: string;
  value: string;
  /** As a share: 0.1 is ten percent more. Null: nothing to say. */
  change?: number | null;
  /** The change is a difference of shares: percentage points. */
  points?: boolean;
  /** What it was, in words for a tooltip: "1,204 before". */
  earlier?: string;
  /** Which direction is good news. */
  better?: 'up' | 'down' | 'neither';
  /** A small line below: what the number is, or why there is none. */
  hint?: string;
  selected?: boolean;
  onSelect?: () => void;
}

export function Tile({ label, value, change, points, earlier, better = 'up', hint, selected, onSelect }: Props) {
  const rounded = typeof change === 'number' && Math.abs(change) < (points ? 0.0005 : 0.005) ? 0 : (change ?? 0);
  const inside = (
    <>
      <span class="tile-label">{label}</span>
      <span class="tile-value">{value}</span>
      {typeof change === 'number' && (
        <span class={`tile-change ${mood(rounded, better)}`} title={earlier}>
          <span aria-hidden="true">{arrow(rounded)}</span> {points ? pointsText(change) : changeText(change)}
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

const arrow = (change: number) => (change === 0 ? '→' : change > 0 ? '↑' : '↓');

function mood(change: number, better: 'up' | 'down' | 'neither'): string {
  if (change === 0 || better === 'neither') return 'is-even';
  return change > 0 === (better === 'up') ? 'is-good' : 'is-bad';
}
