// The map of the world, each country as dark as its value is large. One picture to those who do not see it: the list
// beside it says the same. The pointer, and the arrow keys from the largest value down, show one country at a time.

import { useEffect, useState } from 'preact/hooks';
import { countryName, number } from '../format';
import './map.css';
import { bounds, shadeOf } from './shades';
import { world } from './shapes';
import type { Shape, World } from './shapes';

interface Props {
  /** By ISO 3166-1 alpha-2 code. */
  values: Record<string, number>;
  /** What the values are, in lower case: "hits". */
  measure?: string;
  onPick?: (code: string) => void;
}

interface At {
  code: string;
  left: number;
  top: number;
}

const NAMED = 5; // countries in the picture's name
/** Without those that are of no country: (other), (unknown). */
const namedOf = (values: Record<string, number>) => Object.entries(values).filter(([code]) => !code.startsWith('('));
const nameOf = ([code, name]: Shape): string => (code ? countryName(code) : name);

export function WorldMap({ values, measure = 'hits', onPick }: Props) {
  const [map, gone] = useWorld();
  const [at, setAt] = useState<At | null>(null);
  const most = Math.max(0, ...namedOf(values).map(([, value]) => value));
  const begins = bounds(most);
  if (gone) return <p class="map-space muted">The map could not be loaded. The list has it all.</p>;
  if (!map) return <div class="map-space" aria-hidden="true" />;
  const ranked = ranking(map, values);
  const place = at ? ranked.indexOf(at.code) : -1;
  const step = (to: number) => {
    const code = ranked[Math.min(Math.max(to, 0), ranked.length - 1)];
    if (code) setAt(placed(map, code));
  };
  const keys: Record<string, () => void> = {
    ArrowRight: () => step(place + 1),
    ArrowDown: () => step(place + 1),
    ArrowLeft: () => step(place - 1),
    ArrowUp: () => step(place - 1),
    Home: () => step(0),
    End: () => step(ranked.length - 1),
    Escape: () => setAt(null),
    Enter: () => at && onPick?.(at.code),
  };
  return (
    <figure class="map">
      <div
        class="map-frame"
        role="group"
        tabIndex={0}
        aria-label={`Map of ${measure}. Arrow keys go from country to country, the largest first.`}
        onKeyDown={(event) => {
          if (!keys[event.key]) return;
          event.preventDefault();
          keys[event.key]!();
        }}
        onPointerMove={(event) => setAt(pointed(event))}
        onPointerLeave={() => setAt(null)}
        onBlur={() => setAt(null)}
        onClick={(event) => {
          const code = pointed(event)?.code;
          if (code && (values[code] ?? 0) > 0) onPick?.(code);
        }}
      >
        <Picture map={map} values={values} begins={begins} at={at?.code ?? ''} label={described(values, measure)} />
        <p class="hidden" role="status">{at && place >= 0 ? `${told(map, at.code)}: ${number(values[at.code])} ${measure}` : ''}</p>
        {at && (
          <div class={`map-tip${at.left > 0.6 ? ' is-left' : ''}`} style={{ left: `${100 * at.left}%`, top: `${100 * at.top}%` }} aria-hidden="true">
            {told(map, at.code)} <b>{number(values[at.code] ?? 0)}</b>
          </div>
        )}
      </div>
      <Legend begins={begins} measure={measure} most={most} />
    </figure>
  );
}

/** The outlines once they are there, and whether they could not be had. Asked for when the page has been painted. */
function useWorld(): [World | null, boolean] {
  const [map, setMap] = useState<World | null>(null);
  const [gone, setGone] = useState(false);
  useEffect(() => {
    let wanted = true;
    const asked = setTimeout(() => {
      world().then((shapes) => wanted && setMap(shapes), () => wanted && setGone(true));
    });
    return () => {
      wanted = false;
      clearTimeout(asked);
    };
  }, []);
  return [map, gone];
}

interface PictureProps {
  map: World;
  values: Record<string, number>;
  begins: number[];
  at: string;
  label: string;
}

function Picture({ map, values, begins, at, label }: PictureProps) {
  const look = (code: string | null) => {
    const shade = `shade-${shadeOf(values[code ?? ''] ?? 0, begins)}`;
    return code && code === at ? `${shade} is-at` : shade;
  };
  // The one that is looked at is drawn last, so that no neighbour covers its edge.
  const shapes = [...map.shapes].sort(([one], [other]) => Number(one === at) - Number(other === at));
  return (
    <svg viewBox={`0 0 ${map.width} ${map.height}`} role="img" aria-label={label}>
      {shapes.map(([code, name, path]) => <path key={name} d={path} class={look(code)} data-code={code} />)}
      {shapes.map(([code, name, , dot]) =>
        dot && (values[code ?? ''] ?? 0) > 0
          ? <circle key={name} cx={dot[0]} cy={dot[1]} r={4} class={look(code)} data-code={code} />
          : null,
      )}
    </svg>
  );
}

function Legend({ begins, most, measure }: { begins: number[]; most: number; measure: string }) {
  if (most === 0) return null;
  const starts = [1, ...begins];
  return (
    <figcaption class="map-legend">
      <span class="hidden">{measure} by shade:</span>
      {starts.map((start, place) => {
        const next = starts[place + 1];
        const words = next === undefined ? `${number(start)}+` : next - 1 > start ? `${number(start)}–${number(next - 1)}` : number(start);
        return <span key={start}><span class={`map-swatch shade-${place + 1}`} aria-hidden="true" />{words}</span>;
      })}
    </figcaption>
  );
}

/** The countries on the map with a value, the largest first. */
function ranking(map: World, values: Record<string, number>): string[] {
  const drawn = map.shapes.flatMap(([code]) => (code && (values[code] ?? 0) > 0 ? [code] : []));
  return [...new Set(drawn)].sort((one, other) => values[other]! - values[one]!);
}

function described(values: Record<string, number>, measure: string): string {
  const named = namedOf(values).sort(([, one], [, other]) => other - one);
  if (named.length === 0) return `Map of the world: no ${measure} of a named country`;
  const first = named.slice(0, NAMED).map(([code, value]) => `${countryName(code)} ${number(value)}`).join(', ');
  return `Map of the world, ${measure} of ${named.length} ${named.length === 1 ? 'country' : 'countries'}: ${first}`;
}

function told(map: World, code: string): string {
  const shape = map.shapes.find(([one]) => one === code);
  return shape ? nameOf(shape) : countryName(code);
}

function pointed(event: MouseEvent): At | null {
  const code = (event.target as Element).getAttribute('data-code');
  if (!code) return null;
  const frame = (event.currentTarget as Element).getBoundingClientRect();
  return { code, left: (event.clientX - frame.left) / frame.width, top: (event.clientY - frame.top) / frame.height };
}

/** Where a country is named when no pointer says it: at its dot, or where its outline begins. */
function placed(map: World, code: string): At {
  const [, , path, dot] = map.shapes.find(([one]) => one === code)!;
  const [x, y] = dot || (path.match(/-?[\d.]+/g) ?? []).slice(0, 2).map(Number);
  return { code, left: (x ?? 0) / map.width, top: (y ?? 0) / map.height };
}
