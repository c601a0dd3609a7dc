// node build.mjs OUT: everything the package takes from npm, written into the empty folder OUT.
//
//   OUT/geo/country.mmdb   country by network (node_modules/@ip-location-db/geo-whois-asn-country-mmdb)
//   OUT/geo/SOURCE.md      where it comes from, its version, its licence and the attribution that licence asks for
//   OUT/THIRD-PARTY.txt    the licence of every package something was taken from
//
// Called by hatch_build.py, which installs the packages first and puts OUT in place only if this ends well.
// The country database is an optional dependency: where it is not there, its files are missing and one line says so.

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const out = process.argv[2];
if (!out) {
  console.error('usage: node build.mjs OUT');
  process.exit(2);
}

const GEO = '@ip-location-db/geo-whois-asn-country-mmdb';
const GEO_FILE = 'geo-whois-asn-country.mmdb';

const folderOf = (name) => path.join(here, 'node_modules', ...name.split('/'));
const manifestOf = (name) => JSON.parse(fs.readFileSync(path.join(folderOf(name), 'package.json'), 'utf8'));

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

const taken = geo() ? [GEO] : [];
fs.writeFileSync(path.join(out, 'THIRD-PARTY.txt'), taken.map(notice).join('\n'));
