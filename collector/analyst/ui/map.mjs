// The countries of the world as SVG paths, from world-atlas (Natural Earth, public domain), made at build time so that
// no map library is sent to a browser. Called by build.mjs.
//
//   { width, height, shapes: [[code, name, path, dot], ...] }
//   code  ISO 3166-1 alpha-2, null where there is none      dot  [x, y] of a country too small to see, else 0

import fs from 'node:fs';
import { createRequire } from 'node:module';
import { geoNaturalEarth1, geoPath } from 'd3-geo';
import { feature } from 'topojson-client';
import { presimplify, simplify } from 'topojson-simplify';

const WIDTH = 960;
const HEIGHT = 480;
const MARGIN = 2;
const WEIGHT = 0.1; // of topojson-simplify: what is smaller than that is not seen at this size
const TINY = 4; // square pixels below which a country is a dot
const ANTARCTICA = '010';
const CODES_OF_THEIR_OWN = { Kosovo: 'XK' }; // the atlas has no number for it

const require = createRequire(import.meta.url);
const read = (name) => JSON.parse(fs.readFileSync(require.resolve(name), 'utf8'));

/** The whole map; about 49 KB compressed. */
export function world() {
  const codes = new Map(read('i18n-iso-countries/codes.json').map(([alpha2, , number]) => [number, alpha2]));
  const topology = simplify(presimplify(read('world-atlas/countries-50m.json')), WEIGHT);
  const countries = feature(topology, topology.objects.countries).features.filter(({ id }) => id !== ANTARCTICA);
  const frame = [[MARGIN, MARGIN], [WIDTH - MARGIN, HEIGHT - MARGIN]];
  const projection = geoNaturalEarth1().fitExtent(frame, { type: 'FeatureCollection', features: countries });
  const path = geoPath(projection).digits(1);
  const shapes = countries.map((country) => {
    const name = country.properties.name;
    const code = codes.get(country.id) ?? CODES_OF_THEIR_OWN[name] ?? null;
    const dot = path.area(country) < TINY ? path.centroid(country).map((at) => Math.round(at * 10) / 10) : 0;
    return [code, name, path(country), dot];
  });
  return { width: WIDTH, height: HEIGHT, shapes };
}
