// The map of the world, each country as dark as its value is large.

interface Props {
  /** By ISO 3166-1 alpha-2 code. */
  values: Record<string, number>;
  onPick?: (code: string) => void;
}

export function WorldMap(_: Props) {
  return null;
}
