// Rows of answers as numbers over time.

import type { Interval, Line, Part, Property } from '../api';
import { lines } from '../api';
import { bucketOf, openFrom } from '../days';
import type { Mark, Values } from '../parts/TimeChart';
import { useInterval } from '../site/useFigures';
import { events } from './active';

/** More rows than any range has buckets and values. */
export const ALL_ROWS = 50_000;

/** What the range is cut into: a product is counted by the day. */
export function useDays(): Interval {
  const interval = useInterval();
  return interval === 'hour' ? 'day' : interval;
}

/** The events of every bucket, of the rows that `counts`; nothing after now. */
export function overTime(part: Part, buckets: string[], interval: Interval, counts: (line: Line) => boolean = () => true): Values {
  const sums = new Map<string, number>();
  for (const line of lines(part)) {
    const bucket = String(line['bucket']);
    if (counts(line)) sums.set(bucket, (sums.get(bucket) ?? 0) + events(line));
  }
  return upToNow(buckets, interval, (bucket) => sums.get(bucket) ?? 0);
}

/** A value for every bucket that has begun. */
export function upToNow(buckets: string[], interval: Interval, of: (bucket: string) => number | null): Values {
  const open = openFrom(buckets, interval);
  return buckets.map((bucket, place) => (place <= open ? of(bucket) : null));
}

/** The property's marked days within these buckets. */
export function marksOf({ annotations }: Property, buckets: string[], interval: Interval): Mark[] {
  return annotations
    .map(({ day, text }) => ({ bucket: bucketOf(day, interval), text }))
    .filter(({ bucket }) => buckets.includes(bucket));
}
