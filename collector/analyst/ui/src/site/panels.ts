// Which panels a site has: each tab is one declared report, and how its rows are read.

import type { Line } from '../api';
import { duration, percent } from '../format';
import type { Maybe, Panel, Tab } from '../panels/panel';

function over(row: Line, above: string, below: string): Maybe {
  const [a, b] = [row[above], row[below]];
  return typeof a === 'number' && typeof b === 'number' && b > 0 ? a / b : null;
}

const NO_REFERRER = 'Direct is every visit without a referrer: typed, from a bookmark or an app, or from a browser that sends none.';
const hits = { measure: 'Hits', shares: true };
const visits = { measure: 'Visits', shares: true };
const sources = { report: 'sources', by: ['source'], ...visits, notes: [NO_REFERRER] };

export const PAGES: Panel = {
  title: 'Pages',
  tabs: [
    { name: 'pages', label: 'All', report: 'pages', by: ['path'], ...hits },
    { name: 'entry', label: 'Entry', report: 'entry_pages', by: ['path'], measure: 'Visits', shares: true },
    { name: 'exit', label: 'Exit', report: 'exit_pages', by: ['path'], measure: 'Exits', shares: true },
    {
      name: 'bounces', label: 'Bounces', report: 'bounces', by: ['path'], measure: 'Bounce rate',
      amount: (row) => over(row, 'amount', 'events'), text: percent,
      notes: ['Of the visits that began on a page, the share that ended there. Told by the beacon when a page is left.'],
    },
    {
      name: 'time', label: 'Time', report: 'page_time', by: ['path'], measure: 'Time on page', sort: '-amount',
      amount: (row) => over(row, 'amount', 'hits'), text: duration,
      notes: ['Seconds a page was in front, by its hits. Told by the beacon when a page is left.'],
    },
  ],
};

export const SOURCES: Panel = {
  title: 'Sources',
  tabs: [
    { name: 'sources', label: 'All', ...sources },
    { name: 'search', label: 'Search', group: 'search', ...sources },
    { name: 'social', label: 'Social', group: 'social', ...sources },
    { name: 'direct', label: 'Direct', group: 'direct', ...sources },
    { name: 'sites', label: 'Sites', group: 'sites', ...sources },
  ],
};

export const CAMPAIGNS: Panel = {
  title: 'Campaigns',
  tabs: [
    { name: 'campaigns', label: 'Campaign', report: 'campaigns', by: ['utm_campaign'], ...hits },
    { name: 'utm-source', label: 'Source', report: 'campaigns', by: ['utm_source'], ...hits },
    { name: 'utm-medium', label: 'Medium', report: 'campaigns', by: ['utm_medium'], ...hits },
  ],
};

export const COUNTRIES: Tab = { name: 'countries', label: 'Countries', report: 'countries', by: ['country'], ...hits };

export const DEVICES: Panel = {
  title: 'Devices',
  tabs: [
    { name: 'systems', label: 'Systems', report: 'platforms', by: ['os'], ...hits },
    { name: 'devices', label: 'Devices', report: 'platforms', by: ['device'], ...hits },
    { name: 'browsers', label: 'Browsers', report: 'browsers', by: ['browser'], ...hits },
  ],
};

export const LANGUAGES: Panel = {
  title: 'Languages',
  tabs: [{ name: 'languages', label: 'Languages', report: 'languages', by: ['language'], ...hits }],
};

export const GOALS: Panel = {
  title: 'Goals and links',
  tabs: [
    { name: 'goals', label: 'Goals', report: 'goals', by: ['goal'], measure: 'Reached' },
    { name: 'links', label: 'Links', report: 'links', by: ['link'], measure: 'Clicks' },
  ],
};

export const TABS: Tab[] = [PAGES, SOURCES, CAMPAIGNS, DEVICES, LANGUAGES, GOALS].flatMap(({ tabs }) => tabs).concat(COUNTRIES);
