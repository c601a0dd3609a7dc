// Which values share a shade. A few countries have most of what there is, so the steps grow: shares of the largest value,
// rounded to 1, 2 or 5 and noughts.

const STEPS = [0.005, 0.02, 0.08, 0.3];

/** Where shades 2, 3, ... begin; shade 1 begins at one, shade 0 is nothing. */
export function bounds(most: number): number[] {
  const rounded = STEPS.map((share) => round(share * most)).filter((bound) => bound > 1 && bound <= most);
  return [...new Set(rounded)];
}

/** 0 for nothing, else 1 and one more for every bound reached. */
export function shadeOf(value: number, begins: number[]): number {
  return value > 0 ? 1 + begins.filter((bound) => value >= bound).length : 0;
}

function round(value: number): number {
  const size = 10 ** Math.floor(Math.log10(value));
  const digit = value / size;
  return Math.round(size * (digit < 1.5 ? 1 : digit < 3.5 ? 2 : digit < 7.5 ? 5 : 10));
}
