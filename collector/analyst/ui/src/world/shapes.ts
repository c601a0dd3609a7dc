// The countries' outlines: a file of its own among the assets, asked for once, when a map is first shown.

import address from 'made:world.json';

/** A country's ISO 3166-1 alpha-2 code (null: none), English name, outline, and place if it is too small to see. */
export type Shape = [code: string | null, name: string, path: string, dot: [number, number] | 0];

export interface World {
  width: number;
  height: number;
  shapes: Shape[];
}

let asked: Promise<World> | null = null;

/** The outlines; asked for again if they could not be had. */
export function world(): Promise<World> {
  asked ??= fetch(address).then((response) => {
    if (!response.ok) throw new Error(`the map: status ${response.status}`);
    return response.json() as Promise<World>;
  });
  asked.catch(() => {
    asked = null;
  });
  return asked;
}
