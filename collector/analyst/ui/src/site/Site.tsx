// The face of a site: figures and chart, panels, and the details of one of them. Where nothing was ever counted, how to begin.

import { scope, useDash } from '../state';
import { useAnswer } from '../useAnswer';
import { Countries } from './Countries';
import { Details } from '../panels/Details';
import { FirstRun } from './FirstRun';
import { Overview } from './Overview';
import { PanelCard } from '../panels/PanelCard';
import { useFigures } from './useFigures';
import { CAMPAIGNS, DEVICES, GOALS, LANGUAGES, PAGES, SOURCES, TABS } from './panels';

export function Site() {
  const { view, property, refresh } = useDash();
  const overall = useFigures();
  // Nothing in this range: was there ever anything?
  const nothing = view.filters.length === 0 && overall.now.total.hits === 0;
  const ever = useAnswer('traffic', scope({ ...view, period: 'all', filters: [], compare: '' }), nothing);
  if (ever.answer?.totals['events'] === 0) return <FirstRun property={property.id} again={refresh} />;
  const tab = TABS.find(({ name }) => name === view.details);
  return (
    <div class="panels">
      <Overview overall={overall} />
      {[PAGES, SOURCES].map((panel) => <PanelCard key={panel.title} panel={panel} />)}
      <Countries />
      {[DEVICES, LANGUAGES, CAMPAIGNS, GOALS].map((panel) => <PanelCard key={panel.title} panel={panel} />)}
      {tab && <Details key={tab.name} tab={tab} />}
    </div>
  );
}
