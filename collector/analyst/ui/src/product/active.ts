// What active installations are made of. Nobody is recognised: every installation itself says, with its first check of a
// period, of which periods that check is the first, and the server adds up what it is told.
//
// Days are UTC, weeks begin on Monday 00:00 UTC, months are UTC calendar months. The values of `first` are disjoint:
// d, dw, dm, dwm, dwme (day, week, month, ever), and each check that begins a day carries exactly one of them. Hence
//   DAU of a day    all of its first checks              WAU of a week   those with w, Monday to Sunday
//   MAU of a month  those with m, first to last day      new             dwme
//   stickiness of a month   the mean DAU of its days / its MAU
// A day of too few networks tells its total only, as (other): that counts in DAU and in nothing else.
// A sum of w over seven days from a Thursday would be of no week: WAU and MAU are of whole calendar weeks and months
// only, here the last that is over at the end of the range.

import type { Catalogue, Compare, Filter, Line, Part } from '../api';
import { lines } from '../api';
import { bucketOf, plusDays, today } from '../days';
import { missing } from '../state';
import type { View } from '../state';

export type Flag = 'd' | 'w' | 'm' | 'e';
type Maybe = number | null;

/** How many installations each bucket has with a flag, by the bucket's name; every one has d. */
export type Counts = Map<string, number>;

const REPORTS = ['active', 'active_by_version', 'active_by_platform', 'active_by_country'];

/** The report that tells the active installations under these filters; undefined if none does. */
export function activeReport(catalogue: Catalogue, filters: Filter[]): string | undefined {
  return REPORTS.find((report) => missing(catalogue, report, filters).length === 0);
}

const has = (line: Line, flag: Flag): boolean => flag === 'd' || (/^[dwme]+$/.test(String(line['first'])) && String(line['first']).includes(flag));

export function counted(part: Part | undefined, flag: Flag): Counts {
  const counts: Counts = new Map();
  for (const line of part ? lines(part) : []) {
    if (!has(line, flag)) continue;
    const bucket = String(line['bucket']);
    counts.set(bucket, (counts.get(bucket) ?? 0) + events(line));
  }
  return counts;
}

export const events = (line: Line): number => Number(line['events'] ?? 0);

/** The mean of the days that are over, from the first that has any on: a product begun yesterday has one. */
export function meanOf(days: string[], counts: Counts): Maybe {
  const begun = days.findIndex((day) => counts.has(day));
  const whole = begun < 0 ? [] : days.slice(begun).filter((day) => day < today());
  return whole.length > 0 ? whole.reduce((sum, day) => sum + (counts.get(day) ?? 0), 0) / whole.length : null;
}

export const monthPlus = (month: string, months: number): string => {
  const at = new Date(`${month.slice(0, 7)}-01T00:00:00Z`);
  at.setUTCMonth(at.getUTCMonth() + months);
  return at.toISOString().slice(0, 10);
};
export const lastDayOf = (month: string): string => plusDays(monthPlus(month, 1), -1);
export const lengthOfMonth = (month: string): number => Number(lastDayOf(month).slice(8));

/** Whether a range is of one day that is not over: it says nothing against a whole one. */
export const isGrowing = ({ from, to }: { from: string; to: string }): boolean => from === to && to >= today();

/** The last week that is over by the end of this day, and by now. */
export function lastWeek(day: string): string {
  const end = day < today() ? day : plusDays(today(), -1);
  const week = bucketOf(end, 'week');
  return plusDays(week, 6) <= end ? week : plusDays(week, -7);
}

/** The last month that is over by the end of this day, and by now. */
export function lastMonth(day: string): string {
  const end = day < today() ? day : plusDays(today(), -1);
  const month = bucketOf(end, 'month');
  return lastDayOf(month) <= end ? month : monthPlus(month, -1);
}

export const weekBefore = (week: string, compare: Compare): string => plusDays(week, compare === 'year' ? -7 * 52 : -7);
export const monthBefore = (month: string, compare: Compare): string => monthPlus(month, compare === 'year' ? -12 : -1);

/** The mean DAU of a month that is over, as a share of its MAU. */
export function stickiness(month: string, days: Counts, actives: Counts): Maybe {
  const active = actives.get(month);
  return active && lastDayOf(month) < today() ? (days.get(month) ?? 0) / lengthOfMonth(month) / active : null;
}

/** The last day of the range, as far as it is known before it was asked for. */
export function endOf(view: View): string {
  if (view.period === 'custom') return view.to < today() ? view.to : today();
  if (view.period === 'yesterday') return plusDays(today(), -1);
  if (view.period === 'last-month') return plusDays(bucketOf(today(), 'month'), -1);
  return view.period === 'last-year' ? `${Number(today().slice(0, 4)) - 1}-12-31` : today();
}
