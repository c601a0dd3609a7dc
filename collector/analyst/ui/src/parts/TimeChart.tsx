// Numbers over time as lines or stacked areas (uPlot): what is not over is dashed, what was before is a pale line below,
// marks are days something happened. A picture with a name to those who do not see it, and a table beside it.

import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Interval } from '../api';
import { openFrom } from '../days';
import { bucketName, bucketTick, number } from '../format';

export type Values = (number | null)[];

export interface Series {
  label: string;
  /** One for each bucket. */
  values: Values;
  /** The same a period earlier, bucket by bucket. */
  earlier?: Values;
  /** 1 to 8: which colour; its place by default. */
  colour?: number;
}

export interface Mark {
  bucket: string;
  text: string;
}

interface Props {
  /** What is shown, as the picture's name: "Visitors by day". */
  name: string;
  buckets: string[];
  interval: Interval;
  series: Series[];
  /** How a value is written. */
  format?: (value: number | null) => string;
  /** How a value on the axis is written; `format` by default. */
  axis?: (value: number | null) => string;
  marks?: Mark[];
  /** Areas on top of each other, first series lowest. */
  stacked?: boolean;
  /** Where the axis ends, e.g. 1 for shares. */
  top?: number;
  height?: number;
}

const HEIGHT = 260;
const GAP_PX = 70; // between two dates on the axis
const DASH = [5, 4];

export function TimeChart(props: Props) {
  const { name, buckets, interval, series, format = number, marks = [], height = HEIGHT } = props;
  const frame = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState<{ place: number; left: number; width: number } | null>(null);
  const theme = useTheme();
  useEffect(() => {
    const root = frame.current;
    if (!root || buckets.length === 0) return;
    const chart = new uPlot(options(props, root, setAt), data(props), root);
    const resized = new ResizeObserver(() => chart.setSize({ width: root.clientWidth, height }));
    resized.observe(root);
    return () => {
      resized.disconnect();
      chart.destroy();
      setAt(null);
    };
  }, [JSON.stringify([buckets, interval, series, marks, props.stacked, props.top, height, name]), theme]);
  return (
    <div class="chart">
      <div class="chart-frame" ref={frame} role="img" aria-label={described(props)} />
      {at && <Tip at={at} {...props} />}
      {series.length > 1 && <Legend series={series} />}
      {marks.length > 0 && <Marks marks={marks} interval={interval} />}
      <div class="hidden">
        <table>
          <caption>{name}</caption>
          <thead>
            <tr>
              <th scope="col">Time (UTC)</th>
              {series.map(({ label }) => <th key={label} scope="col">{label}</th>)}
            </tr>
          </thead>
          <tbody>
            {buckets.map((bucket, place) => (
              <tr key={bucket}>
                <th scope="row">{bucketName(bucket, interval)}</th>
                {series.map(({ label, values }) => <td key={label}>{format(values[place] ?? null)}</td>)}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function described({ name, buckets, interval, series, format = number }: Props): string {
  if (buckets.length === 0) return name;
  const peaks = series.slice(0, 3).map(({ label, values }) => {
    const most = Math.max(...values.map((value) => value ?? 0));
    const place = values.indexOf(most);
    return place < 0 ? '' : `; ${label}: at most ${format(most)}, ${bucketName(buckets[place]!, interval)}`;
  });
  return `${name}, ${bucketName(buckets[0]!, interval)} to ${bucketName(buckets.at(-1)!, interval)}${peaks.join('')}`;
}

function Legend({ series }: { series: Series[] }) {
  return (
    <ul class="chart-legend">
      {series.map(({ label, colour }, place) => (
        <li key={label}><span class={`swatch swatch-${colour ?? place + 1}`} aria-hidden="true" />{label}</li>
      ))}
    </ul>
  );
}

function Marks({ marks, interval }: { marks: Mark[]; interval: Interval }) {
  return (
    <ul class="chart-marks" aria-label="Marked days">
      {marks.map(({ bucket, text }) => (
        <li key={bucket + text}><span aria-hidden="true">◆ </span>{bucketTick(bucket, interval)}: {text}</li>
      ))}
    </ul>
  );
}

function Tip({ at, buckets, interval, series, format = number, marks = [] }: Props & { at: { place: number; left: number; width: number } }) {
  const bucket = buckets[at.place];
  if (bucket === undefined) return null;
  const open = at.place >= openFrom(buckets, interval);
  const side = at.left > at.width / 2 ? 'chart-tip is-left' : 'chart-tip';
  return (
    <div class={side} style={{ left: `${at.left}px` }} aria-hidden="true">
      <strong>{bucketName(bucket, interval)}</strong>
      {series.map(({ label, values, earlier, colour }, place) => (
        <span key={label} class="chart-tip-line">
          <span><span class={`swatch swatch-${colour ?? place + 1}`} />{label}</span>
          <b>{format(values[at.place] ?? null)}</b>
          {earlier && <span class="chart-tip-earlier">{format(earlier[at.place] ?? null)} before</span>}
        </span>
      ))}
      {marks.filter((mark) => mark.bucket === bucket).map(({ text }) => <span key={text}>◆ {text}</span>)}
      {open && <em>Not over yet</em>}
    </div>
  );
}

/** For every series: what is over, what is not (dashed, from the last that is over), and what was before. */
function data({ buckets, interval, series, stacked }: Props): uPlot.AlignedData {
  const open = stacked ? buckets.length : openFrom(buckets, interval); // an area has no dashes
  const heights = stacked ? piled(series) : series.map(({ values }) => values);
  const columns = heights.flatMap((values, place) => [
    series[place]!.earlier ?? buckets.map(() => null),
    values.map((value, at) => (at < open ? value : null)),
    values.map((value, at) => (at >= open - 1 && at <= open ? value : null)),
  ]);
  return [buckets.map((_, place) => place), ...columns] as uPlot.AlignedData;
}

/** Each series on top of those before it. */
function piled(series: Series[]): Values[] {
  const sums: number[] = [];
  return series.map(({ values }) => values.map((value, at) => (sums[at] = (sums[at] ?? 0) + (value ?? 0))));
}

function options(props: Props, root: HTMLElement, setAt: (at: { place: number; left: number; width: number } | null) => void): uPlot.Options {
  const { buckets, interval, series, format = number, stacked, top, height = HEIGHT } = props;
  const axis = props.axis ?? format;
  const ink = colours(root);
  const line = { stroke: ink('--rule'), width: 1 };
  const font = `12px ${getComputedStyle(root).fontFamily}`;
  return {
    width: root.clientWidth,
    height,
    padding: [14, 24, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: {
      x: { time: false, range: () => (buckets.length > 1 ? [0, buckets.length - 1] : [-1, 1]) },
      y: { range: (_, least, most) => [least < 0 ? least * 1.08 : 0, top ?? (most > 0 ? most * 1.08 : 1)] },
    },
    axes: [
      {
        stroke: ink('--muted'),
        font,
        size: 32,
        grid: { show: false },
        ticks: { show: false },
        splits: (self) => spread(buckets.length, Math.max(2, Math.floor(self.width / GAP_PX))),
        values: (_, places) => places.map((place) => (buckets[place] ? bucketTick(buckets[place], interval) : '')),
      },
      {
        stroke: ink('--muted'),
        font,
        size: (_, values) => 14 + 7 * Math.max(2, ...(values ?? []).map((value) => String(value).length)),
        grid: line,
        ticks: { show: false },
        values: (_, values) => values.map((value) => axis(value)),
      },
    ],
    series: [{}, ...series.flatMap((one, place) => strokes(ink, one.colour ?? place + 1, series.length, stacked ?? false))],
    ...(stacked ? { bands: series.slice(1).map((_, place) => ({ series: [2 + 3 * (place + 1), 2 + 3 * place] as [number, number] })) } : {}),
    hooks: {
      draw: [(self) => drawMarks(self, props, ink('--muted'))],
      setCursor: [
        (self) => {
          const place = self.cursor.idx;
          const shown = place !== null && place !== undefined && (self.cursor.left ?? -1) >= 0;
          setAt(shown ? { place, left: self.valToPos(place, 'x') + self.over.offsetLeft, width: self.width } : null);
        },
      ],
    },
  };
}

function strokes(ink: (name: string) => string, colour: number, among: number, stacked: boolean): uPlot.Series[] {
  const stroke = ink(`--series-${colour}`);
  const fill = stacked ? `${stroke}b0` : among === 1 ? `${stroke}1c` : undefined;
  const points = { show: (self: uPlot) => (self.data[0]?.length ?? 0) < 2, size: 7, fill: stroke };
  const common = { stroke, width: 2, points, ...(fill ? { fill } : {}) };
  return [
    { stroke: ink('--before'), width: 1.5, points: { show: false } },
    common,
    { ...common, dash: DASH },
  ];
}

function drawMarks(chart: uPlot, { buckets, marks = [] }: Props, colour: string): void {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.fillStyle = colour;
  ctx.textAlign = 'center';
  ctx.setLineDash([2, 3]);
  for (const { bucket } of marks) {
    const place = buckets.indexOf(bucket);
    if (place < 0) continue;
    const x = Math.round(chart.valToPos(place, 'x', true));
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillText('◆', x, bbox.top - 2);
  }
  ctx.restore();
}

/** At most `most` places, evenly apart, the first among them. */
function spread(count: number, most: number): number[] {
  const step = Math.max(1, Math.ceil(count / most));
  return Array.from({ length: Math.ceil(count / step) }, (_, place) => place * step);
}

/** The page's colours, as the style sheet has them now. */
function colours(root: HTMLElement): (name: string) => string {
  const style = getComputedStyle(root);
  return (name) => style.getPropertyValue(name).trim() || '#888888';
}

/** Changes when the system goes from light to dark or back. */
function useTheme(): boolean {
  const [dark, setDark] = useState(() => matchMedia('(prefers-color-scheme: dark)').matches);
  useEffect(() => {
    const wish = matchMedia('(prefers-color-scheme: dark)');
    const changed = () => setDark(wish.matches);
    wish.addEventListener('change', changed);
    return () => wish.removeEventListener('change', changed);
  }, []);
  return dark;
}
