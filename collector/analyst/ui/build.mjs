// node build.mjs OUT: everything the package takes from npm or makes of src/, written into the empty folder OUT.
//
//   OUT/index.html            the dashboard's page: no data, no script and no style inside
//   OUT/assets/NAME-HASH.EXT  its script, style and map, each with .gz and .br beside it
//   OUT/b.js                  the beacon, for the pages that are counted (src/beacon): no code of any package
//   OUT/geo/country.mmdb      country by network (node_modules/@ip-location-db/geo-whois-asn-country-mmdb)
//   OUT/geo/SOURCE.md         where it comes from, its version, its licence and the attribution that licence asks for
//   OUT/THIRD-PARTY.txt       the licence of every package something was taken from
//
// Called by hatch_build.py, which installs the packages first and puts OUT in place only if this ends well.
// The country database is an optional dependency: where it is not there, its files are missing and one line says so.

import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { world } from './map.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const out = process.argv[2];
if (!out) {
  console.error('usage: node build.mjs OUT');
  process.exit(2);
}

const GEO = '@ip-location-db/geo-whois-asn-country-mmdb';
const GEO_FILE = 'geo-whois-asn-country.mmdb';
// What ends up in the assets, as code or as data.
const IN_ASSETS = ['preact', 'uplot', 'world-atlas', 'i18n-iso-countries', 'd3-geo', 'topojson-client', 'topojson-simplify'];
// All that a first visit loads, map included, compressed by gzip.
const FIRST_LOAD_KB = 120;
// The beacon, which every page of every site loads, compressed by gzip.
const BEACON_BYTES = 1536;

const folderOf = (name) => path.join(here, 'node_modules', ...name.split('/'));
const manifestOf = (name) => JSON.parse(fs.readFileSync(path.join(folderOf(name), 'package.json'), 'utf8'));

/** `import address from 'made:world.json'` is the address of the map among the assets. */
const map = {
  name: 'map',
  setup(build) {
    build.onResolve({ filter: /^made:world\.json$/ }, () => ({ path: 'world.json', namespace: 'made' }));
    build.onLoad({ filter: /.*/, namespace: 'made' }, () => ({ contents: JSON.stringify(world()), loader: 'file' }));
  },
};

/** The dashboard: bundle, page, and everything once more compressed. */
async function dashboard() {
  const assets = path.join(out, 'assets');
  const { metafile } = await esbuild.build({
    absWorkingDir: here,
    entryPoints: ['src/main.tsx'],
    outdir: assets,
    entryNames: '[name]-[hash]',
    assetNames: '[name]-[hash]',
    publicPath: '/assets',
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none', // THIRD-PARTY.txt has them
    metafile: true,
    plugins: [map],
  });
  const names = Object.keys(metafile.outputs).map((file) => path.basename(file));
  const one = (extension) => names.find((name) => name.startsWith('main-') && name.endsWith(extension));
  fs.writeFileSync(path.join(out, 'index.html'), page(one('.js'), one('.css')));
  weigh(assets);
}

function page(script, style) {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Collector</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/assets/${style}">
<script type="module" src="/assets/${script}"></script>
</head>
<body>
<div id="app"></div>
<noscript>The dashboard needs JavaScript. Without it, ask the API: see /docs.</noscript>
</body>
</html>
`;
}

/** Compress every asset, say how much each is, and fail where a first visit would load too much. */
function weigh(assets) {
  let total = 0;
  for (const name of fs.readdirSync(assets).sort()) {
    const file = path.join(assets, name);
    const bytes = fs.readFileSync(file);
    const zipped = zlib.gzipSync(bytes, { level: 9 });
    fs.writeFileSync(`${file}.gz`, zipped);
    fs.writeFileSync(`${file}.br`, zlib.brotliCompressSync(bytes));
    total += zipped.length;
    console.log(`${name}: ${(zipped.length / 1024).toFixed(1)} KB`);
  }
  console.log(`first load: ${(total / 1024).toFixed(1)} KB of at most ${FIRST_LOAD_KB} KB`);
  if (total > FIRST_LOAD_KB * 1024) throw new Error('the dashboard is too large');
}

/** The beacon: one script, for browsers that are years old, too. Fails where it is too large. */
async function beacon() {
  const file = path.join(out, 'b.js');
  await esbuild.build({
    absWorkingDir: here,
    entryPoints: ['src/beacon/main.ts'],
    outfile: file,
    bundle: true,
    minify: true,
    format: 'iife',
    target: 'es2018',
  });
  const zipped = zlib.gzipSync(fs.readFileSync(file), { level: 9 }).length;
  console.log(`b.js: ${zipped} of at most ${BEACON_BYTES} bytes`);
  if (zipped > BEACON_BYTES) throw new Error('the beacon is too large');
}

/** Copy the country database and say where it is from; false if the package is not there. */
function geo() {
  const database = path.join(folderOf(GEO), GEO_FILE);
  if (!fs.existsSync(database)) {
    console.error(`country database: the package ${GEO} is not installed; country will be (unknown)`);
    return false;
  }
  const folder = path.join(out, 'geo');
  fs.mkdirSync(folder, { recursive: true });
  fs.copyFileSync(database, path.join(folder, 'country.mmdb'));
  const readme = fs.readFileSync(path.join(folderOf(GEO), 'README.md'), 'utf8');
  fs.writeFileSync(path.join(folder, 'SOURCE.md'), [
    '# country.mmdb',
    '',
    `From the npm package ${GEO}, version ${manifestOf(GEO).version}, unchanged.`,
    'Whois and ASN data by the NRO (Number Resource Organization), licensed under CC BY 4.0.',
    'What the package says of itself follows.',
    '',
    readme,
  ].join('\n'));
  return true;
}

/** One package's licence: its own file's text, or the name it declares. */
function notice(name) {
  const folder = folderOf(name);
  const { version, license } = manifestOf(name);
  const files = fs.readdirSync(folder).filter((file) => /licen[cs]e|notice/i.test(file)).sort();
  const texts = files.map((file) => fs.readFileSync(path.join(folder, file), 'utf8').trim());
  return [`== ${name} ${version}`, `declared licence: ${license ?? 'none'}`, ...texts, ''].join('\n');
}

fs.mkdirSync(out, { recursive: true });
await dashboard();
await beacon();
const taken = [...IN_ASSETS, ...(geo() ? [GEO] : [])];
fs.writeFileSync(path.join(out, 'THIRD-PARTY.txt'), taken.map(notice).join('\n'));
