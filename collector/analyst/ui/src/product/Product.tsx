// The face of a product: active installations, growth, versions, places, retention, and the details of one panel. Where
// nothing was ever counted, how to begin.

import { Details } from '../panels/Details';
import { PanelCard } from '../panels/PanelCard';
import { scope, useDash } from '../state';
import { useAnswer } from '../useAnswer';
import { ActiveCountries } from './ActiveCountries';
import { Adoption } from './Adoption';
import { Checks } from './Checks';
import { FirstRun } from './FirstRun';
import { Growth } from './Growth';
import { Overview } from './Overview';
import { ACTIVE, CHECKS, DOWNLOADS, FEATURES, INSTALLS, OUTCOMES, TABS, UNINSTALLS } from './panels';
import './product.css';
import { Recommendations } from './Recommendations';
import { Retention } from './Retention';

const TELLING = ['update_checks', 'installs', 'downloads'];

export function Product() {
  const { view, property, refresh } = useDash();
  const unfiltered = { ...view, filters: [], compare: '' as const };
  const checks = useAnswer('update_checks', scope(unfiltered));
  // Nothing in this range: was there ever anything?
  const nothing = checks.answer?.totals['events'] === 0;
  const ever = TELLING.map((report) => useAnswer(report, scope({ ...unfiltered, period: 'all' }), nothing));
  if (ever.every(({ answer }) => answer?.totals['events'] === 0)) {
    return <FirstRun property={property.id} again={refresh} />;
  }
  const tab = TABS.find(({ name }) => name === view.details);
  const panel = (one: typeof ACTIVE) => <PanelCard key={one.title} panel={one} />;
  return (
    <div class="panels">
      <Overview />
      <Growth />
      <Adoption />
      {[ACTIVE, UNINSTALLS].map(panel)}
      <ActiveCountries />
      {[DOWNLOADS, INSTALLS].map(panel)}
      <Retention />
      <Recommendations />
      <Checks />
      {[CHECKS, OUTCOMES, FEATURES].map(panel)}
      {tab && <Details key={tab.name} tab={tab} />}
    </div>
  );
}
