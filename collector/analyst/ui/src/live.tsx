// The last thirty minutes, as they happen: one small bar a minute and their sum, by server-sent events. It connects again
// by itself, says when it is not connected, rests while the page is hidden, and can be paused.

import { useEffect, useState } from 'preact/hooks';
import { number } from './format';
import { useDash } from './state';
import './style/live.css';

interface Minutes {
  minutes: number[];
  total: number;
}

type State = 'connecting' | 'on' | 'off';

const SOON_MS = 2_000;
const LATE_MS = 30_000;
const BAR = 4; // of a picture 120 wide and 24 high
const WIDE = 3;
const HIGH = 24;

export function Live({ property }: { property: string }) {
  const { property: whole } = useDash();
  const [paused, setPaused] = useState(false);
  const [state, minutes] = useMinutes(property, paused);
  const one = whole.sort === 'site' ? 'hit' : 'update check';
  const what = minutes?.total === 1 ? one : `${one}s`;
  return (
    <div class="live" role="group" aria-label="Live">
      <span class={`live-dot is-${paused ? 'paused' : state}`} aria-hidden="true" />
      {minutes && <Bars minutes={minutes} what={what} stale={paused || state !== 'on'} />}
      {minutes && <span class="live-sum"><b>{number(minutes.total)}</b> {what} in 30 minutes</span>}
      <span class="live-said" role="status">{said(state, paused)}</span>
      <button type="button" class="live-pause" aria-pressed={paused} aria-label="Pause live view" onClick={() => setPaused(!paused)}>
        <span aria-hidden="true">{paused ? '▶' : '❚❚'}</span>
      </button>
    </div>
  );
}

function said(state: State, paused: boolean): string {
  if (paused) return 'Paused';
  return state === 'off' ? 'Live view is not connected' : '';
}

function Bars({ minutes: { minutes, total }, what, stale }: { minutes: Minutes; what: string; stale: boolean }) {
  const most = Math.max(1, ...minutes);
  const label = `${number(total)} ${what} in the last 30 minutes, at most ${number(Math.max(0, ...minutes))} in one`;
  return (
    <svg class={stale ? 'live-bars is-stale' : 'live-bars'} viewBox={`0 0 ${BAR * minutes.length} ${HIGH}`} role="img" aria-label={label}>
      {minutes.map((count, place) => {
        const height = Math.max(1, (HIGH * count) / most);
        const open = place === minutes.length - 1;
        return <rect key={place} class={open ? 'is-open' : undefined} x={BAR * place} y={HIGH - height} width={WIDE} height={height} rx={1} />;
      })}
    </svg>
  );
}

/** What came last, and whether more is to come. A stream that ends is asked for again, later every time it fails. */
function useMinutes(property: string, paused: boolean): [State, Minutes | null] {
  const [state, setState] = useState<State>('connecting');
  const [minutes, setMinutes] = useState<Minutes | null>(null);
  const shown = useShown();
  useEffect(() => {
    if (paused || !shown) return;
    let stream: EventSource | null = null;
    let again: ReturnType<typeof setTimeout> | undefined;
    let wait = SOON_MS;
    const connect = () => {
      stream = new EventSource(`/api/v1/live?${new URLSearchParams({ property })}`);
      stream.addEventListener('minutes', (event) => {
        wait = SOON_MS;
        setMinutes(JSON.parse(event.data) as Minutes);
        setState('on');
      });
      stream.addEventListener('error', () => {
        stream?.close();
        // A stream that was open ends every few minutes; only one that cannot be opened is worth a word.
        setState((before) => (before === 'on' ? 'connecting' : 'off'));
        again = setTimeout(connect, wait);
        wait = Math.min(2 * wait, LATE_MS);
      });
    };
    connect();
    return () => {
      stream?.close();
      clearTimeout(again);
    };
  }, [property, paused, shown]);
  return [state, minutes];
}

function useShown(): boolean {
  const [shown, setShown] = useState(() => !document.hidden);
  useEffect(() => {
    const changed = () => setShown(!document.hidden);
    document.addEventListener('visibilitychange', changed);
    return () => document.removeEventListener('visibilitychange', changed);
  }, []);
  return shown;
}
