// Numbers, shares, durations, days and names in English. Days are UTC.

import type { Interval } from './api';
import { atDay, plusDays } from './days';

export const LOCALE = 'en-GB';
const NONE = '–';

const whole = new Intl.NumberFormat(LOCALE);
const short = new Intl.NumberFormat(LOCALE, { notation: 'compact', maximumFractionDigits: 1 });
const tenths = new Intl.NumberFormat(LOCALE, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const percents = new Intl.NumberFormat(LOCALE, { style: 'percent', maximumFractionDigits: 1 });
const roundPercents = new Intl.NumberFormat(LOCALE, { style: 'percent', maximumFractionDigits: 0 });
const signed = new Intl.NumberFormat(LOCALE, { style: 'percent', maximumFractionDigits: 0, signDisplay: 'exceptZero' });
const signedTenths = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 1, signDisplay: 'exceptZero' });
const dated = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(LOCALE, { timeZone: 'UTC', ...options });
const full = dated({ day: 'numeric', month: 'short', year: 'numeric' });
const weekday = dated({ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' });
const tick = dated({ day: 'numeric', month: 'short' });
const monthTick = dated({ month: 'short', year: 'numeric' });
const clock = dated({ hour: '2-digit', minute: '2-digit' });
const countries = new Intl.DisplayNames(LOCALE, { type: 'region', fallback: 'none' });
const languages = new Intl.DisplayNames(LOCALE, { type: 'language', fallback: 'none' });

type Maybe = number | null | undefined;
const or = (format: (value: number) => string) => (value: Maybe) =>
  value === null || value === undefined || !Number.isFinite(value) ? NONE : format(value);

export const number = or((value) => whole.format(value));
export const compact = or((value) => (Math.abs(value) < 10_000 ? whole.format(value) : short.format(value)));
export const ratio = or((value) => tenths.format(value));
export const percent = or((value) => percents.format(value));
export const roundPercent = or((value) => roundPercents.format(value));

/** Seconds as "2m 05s". */
export const duration = or((value) => {
  const seconds = Math.round(value);
  const minutes = Math.floor(seconds / 60);
  if (minutes === 0) return `${seconds}s`;
  if (minutes < 60) return `${minutes}m ${String(seconds % 60).padStart(2, '0')}s`;
  return `${Math.floor(minutes / 60)}h ${String(minutes % 60).padStart(2, '0')}m`;
});

/** How much more or less `now` is than `before`, as a share; null if that says nothing. */
export function changeOf(now: Maybe, before: Maybe): number | null {
  return typeof now === 'number' && typeof before === 'number' && before > 0 ? now / before - 1 : null;
}

export const change = or((value) => signed.format(value));
/** The difference of two shares. */
export const points = or((value) => `${signedTenths.format(100 * value)} pts`);

export const date = (day: string): string => full.format(atDay(day));
export const range = (from: string, to: string): string =>
  from === to ? weekday.format(atDay(from)) : full.formatRange(atDay(from), atDay(to));

/** A bucket on an axis. */
export function bucketTick(bucket: string, interval: Interval): string {
  if (interval === 'hour') return clock.format(new Date(bucket));
  return interval === 'month' ? monthTick.format(atDay(bucket)) : tick.format(atDay(bucket));
}

/** A bucket in words. */
export function bucketName(bucket: string, interval: Interval): string {
  if (interval === 'hour') return `${tick.format(new Date(bucket))}, ${clock.format(new Date(bucket))} UTC`;
  if (interval === 'week') return `Week of ${full.formatRange(atDay(bucket), atDay(plusDays(bucket, 6)))}`;
  return interval === 'month' ? monthTick.format(atDay(bucket)) : weekday.format(atDay(bucket));
}

const SPECIAL: Record<string, string> = { '(other)': 'Other', '(unknown)': 'Unknown', '(direct)': 'Direct' };
const OS: Record<string, string> = {
  windows: 'Windows', macos: 'macOS', linux: 'Linux', android: 'Android', ios: 'iOS', chromeos: 'ChromeOS',
  other: 'Another system',
};
const DEVICE: Record<string, string> = { desktop: 'Desktop', mobile: 'Phone', tablet: 'Tablet', other: 'Another device' };
const OTHERS: Record<string, Record<string, string>> = {
  reason: {
    missing_feature: 'A feature is missing', too_slow: 'Too slow', crashes: 'Crashes', hard_to_use: 'Hard to use',
    switched: 'Switched to another', temporary: 'Only needed for a while', other: 'Another reason',
  },
  outcome: { ok: 'Installed', failed: 'Failed', cancelled: 'Cancelled' },
  age: { 0: 'Less than a week', 1: '1 week', 13: '13 to 25 weeks', 26: '26 to 51 weeks', 52: 'A year or more' },
  first: {
    d: 'Seen this week and month', dw: 'First this week', dm: 'First this month', dwm: 'First this week and month',
    dwme: 'First ever',
  },
};

/** A value of a dimension as people call it. */
export function valueName(dimension: string, value: string): string {
  const special = SPECIAL[value];
  if (special) return special;
  if (dimension === 'country') return countryName(value);
  if (dimension === 'language') return nameIn(languages, value);
  if (dimension === 'os') return OS[value] ?? value;
  if (dimension === 'device') return DEVICE[value] ?? value;
  const known = OTHERS[dimension]?.[value];
  if (known) return known;
  if (dimension === 'age') return `${value} weeks`;
  return dimension === 'browser' ? value.charAt(0).toUpperCase() + value.slice(1) : value;
}

export const countryName = (code: string): string => nameIn(countries, code);

function nameIn(names: Intl.DisplayNames, code: string): string {
  try {
    return names.of(code) ?? code;
  } catch {
    return code; // not of the form the names are known for
  }
}
