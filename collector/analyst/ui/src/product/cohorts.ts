// Retention without recognising anybody: an installation says how many whole weeks old it is. Those that are k weeks old
// in week w + k are those that were new in week w, so retention(k) = E[age k in week w + k] / new of week w.

import type { Part } from '../api';
import { lines } from '../api';
import { plusDays, today } from '../days';
import { counted, events } from './active';

export const WEEKS = 12; // ages are told week by week up to here

export interface Cell {
  week: string;
  /** Null: not named, since too few networks stand behind it. */
  share: number | null;
  count: number | null;
  /** The week is not over. */
  open: boolean;
}

export interface Cohort {
  week: string;
  fresh: number;
  /** One for every whole week of age from 1 on, up to now. */
  cells: Cell[];
}

/** The cohorts of these weeks, from `retention` by age and `active` by first, both week by week. */
export function cohorts(weeks: string[], ages: Part, actives: Part): Cohort[] {
  const fresh = counted(actives, 'e');
  const told = new Map(lines(ages).map((line) => [`${line['bucket']} ${line['age']}`, events(line)]));
  return weeks.flatMap((week) => {
    const of = fresh.get(week) ?? 0;
    if (of === 0) return [];
    const cells = Array.from({ length: WEEKS }, (_, place) => plusDays(week, 7 * (place + 1)))
      .map((later, place): Cell => {
        const folded = told.has(`${later} (other)`);
        const count = told.get(`${later} ${place + 1}`) ?? (folded ? null : 0);
        return { week: later, count, share: count === null ? null : count / of, open: plusDays(later, 6) >= today() };
      })
      .filter(({ week: later }) => later <= weeks.at(-1)!);
    return [{ week, fresh: of, cells }];
  });
}
