// Which panels a product has: each tab is one declared report, and how its rows are read.

import type { Line } from '../api';
import type { Panel, Tab } from '../panels/panel';

const ACTIVE_DAYS =
  'Active days: one installation, active on one day, is one. By the days of the period, they are the mean DAU.';
const active = { measure: 'Active days', shares: true, notes: [ACTIVE_DAYS] };
const installs = { measure: 'Installs', shares: true };
const downloads = { measure: 'Downloads', shares: true };
const uninstalls = { measure: 'Uninstalls', shares: true };
const checks = { report: 'update_checks', measure: 'Checks', shares: true };
const amount = (row: Line): number | null => (typeof row['amount'] === 'number' ? row['amount'] : null);

export const ACTIVE: Panel = {
  title: 'Active by version and platform',
  tabs: [
    { name: 'active-versions', label: 'Version', report: 'active_by_version', by: ['version'], ...active },
    { name: 'active-systems', label: 'System', report: 'active_by_platform', by: ['os'], ...active },
    { name: 'active-archs', label: 'Architecture', report: 'active_by_platform', by: ['arch'], ...active },
  ],
};

export const ACTIVE_COUNTRIES: Tab = {
  name: 'active-countries', label: 'Active by country', report: 'active_by_country', by: ['country'], ...active,
};

export const CHECKS: Panel = {
  title: 'Checks by version and channel',
  tabs: [
    { name: 'check-versions', label: 'Version', by: ['version'], ...checks },
    { name: 'check-channels', label: 'Channel', by: ['channel'], ...checks },
  ],
};

export const DOWNLOADS: Panel = {
  title: 'Downloads',
  tabs: [
    { name: 'download-files', label: 'File', report: 'downloads', by: ['file'], ...downloads },
    { name: 'download-versions', label: 'Version', report: 'downloads', by: ['version'], ...downloads },
    { name: 'download-origins', label: 'Origin', report: 'downloads', by: ['origin'], ...downloads },
    { name: 'download-countries', label: 'Country', report: 'downloads_by_country', by: ['country'], ...downloads },
  ],
};

export const INSTALLS: Panel = {
  title: 'Installs',
  tabs: [
    { name: 'install-versions', label: 'Version', report: 'installs', by: ['version'], ...installs },
    { name: 'install-systems', label: 'System', report: 'installs', by: ['os'], ...installs },
    { name: 'install-channels', label: 'Channel', report: 'installs', by: ['channel'], ...installs },
    { name: 'install-countries', label: 'Country', report: 'installs_by_country', by: ['country'], ...installs },
  ],
};

export const OUTCOMES: Panel = {
  title: 'Install outcomes',
  tabs: [
    { name: 'outcomes', label: 'Outcome', report: 'install_outcomes', by: ['outcome'], measure: 'Attempts', shares: true },
    { name: 'outcome-versions', label: 'Version', report: 'install_outcomes', by: ['version'], measure: 'Attempts', shares: true },
  ],
};

export const UNINSTALLS: Panel = {
  title: 'Uninstalls',
  tabs: [
    { name: 'uninstall-reasons', label: 'Reason', report: 'uninstall_reasons', by: ['reason'], ...uninstalls },
    { name: 'uninstall-ages', label: 'Age', report: 'uninstalls', by: ['age'], ...uninstalls },
    { name: 'uninstall-versions', label: 'Version', report: 'uninstalls', by: ['version'], ...uninstalls },
    { name: 'uninstall-systems', label: 'System', report: 'uninstalls', by: ['os'], ...uninstalls },
  ],
};

export const FEATURES: Panel = {
  title: 'Features',
  tabs: [
    {
      name: 'features', label: 'Features', report: 'features', by: ['feature'], measure: 'Uses', amount, sort: '-amount',
      notes: ['How often each feature was used, as installations report it with a check.'],
    },
  ],
};

/** Its details; on the page itself it is a table with click-through. */
export const RECOMMENDATIONS: Tab = {
  name: 'recommendations', label: 'Recommendations', report: 'recommendations', by: ['item'], measure: 'Reports', amount, sort: '-amount',
};

export const TABS: Tab[] = [ACTIVE, CHECKS, DOWNLOADS, INSTALLS, OUTCOMES, UNINSTALLS, FEATURES]
  .flatMap(({ tabs }) => tabs)
  .concat(ACTIVE_COUNTRIES, RECOMMENDATIONS);
