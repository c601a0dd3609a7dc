// What a search in the details asks for: values that begin with the text, or, where people know values by a name,
// those whose name contains it.

import type { Filter } from '../api';
import { countryName, valueName } from '../format';

const LETTERS = [...'abcdefghijklmnopqrstuvwxyz'];
const PAIRS = LETTERS.flatMap((one) => LETTERS.map((other) => one + other));
const NAMED: Record<string, () => string[]> = {
  country: () => PAIRS.map((pair) => pair.toUpperCase()).filter((code) => countryName(code) !== code),
  language: () => PAIRS,
  os: () => ['windows', 'macos', 'linux', 'android', 'ios', 'chromeos', 'other'],
};
const MOST = 50;

export function searchFilter(dimension: string, text: string): Filter | null {
  if (!text) return null;
  const values = NAMED[dimension]?.();
  if (!values) return { dimension, op: '~', values: [prefix(dimension, text)] };
  const wanted = text.toLowerCase();
  const found = values.filter((value) => valueName(dimension, value).toLowerCase().includes(wanted) || value.toLowerCase() === wanted);
  return { dimension, op: '==', values: found.length > 0 ? found.slice(0, MOST) : [text] };
}

/** Paths begin with a slash and keep their case; everything else is kept in small letters. */
function prefix(dimension: string, text: string): string {
  if (dimension === 'path') return text.startsWith('/') || text.startsWith('(') ? text : `/${text}`;
  return text.toLowerCase();
}
