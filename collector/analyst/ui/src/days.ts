// UTC days as text (YYYY-MM-DD), and the buckets a range has. No local time anywhere.

import type { Interval } from './api';

const DAY_MS = 86_400_000;

export const dayOf = (at: Date): string => at.toISOString().slice(0, 10);
export const today = (): string => dayOf(new Date());
export const atDay = (day: string): Date => new Date(`${day.slice(0, 10)}T00:00:00Z`);
export const plusDays = (day: string, days: number): string => dayOf(new Date(atDay(day).getTime() + days * DAY_MS));

/** How many days a range has, both ends included. */
export const lengthOf = (from: string, to: string): number =>
  Math.round((atDay(to).getTime() - atDay(from).getTime()) / DAY_MS) + 1;

/** The bucket a day falls in, named as the API names it. */
export function bucketOf(day: string, interval: Interval): string {
  if (interval === 'week') return plusDays(day, -((atDay(day).getUTCDay() + 6) % 7));
  return interval === 'month' ? `${day.slice(0, 7)}-01` : day;
}

/** Every bucket of a range, empty ones too. */
export function bucketsOf(from: string, to: string, interval: Interval): string[] {
  const all: string[] = [];
  for (let day = from; day <= to; day = plusDays(day, 1)) {
    if (interval === 'hour') {
      for (let hour = 0; hour < 24; hour += 1) all.push(`${day}T${String(hour).padStart(2, '0')}:00:00Z`);
      continue;
    }
    const bucket = bucketOf(day, interval);
    if (all.at(-1) !== bucket) all.push(bucket);
  }
  return all;
}

/** The first bucket that is not over, or that has not begun; past the end if all are over. */
export function openFrom(buckets: string[], interval: Interval): number {
  const now = new Date();
  const current = interval === 'hour' ? `${now.toISOString().slice(0, 13)}:00:00Z` : bucketOf(dayOf(now), interval);
  const place = buckets.findIndex((bucket) => bucket >= current);
  return place < 0 ? buckets.length : place;
}

/** What suits a range of so many days. */
export function fitting(days: number): Interval {
  if (days <= 2) return 'hour';
  if (days <= 92) return 'day';
  return days <= 370 ? 'week' : 'month';
}
