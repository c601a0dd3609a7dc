// Why a panel cannot be filtered so, and which reports can.

import { missing, useDash } from '../state';
import { dimensionName, reportName } from '../words';

export function Explained({ report, dimensions }: { report: string; dimensions: string[] }) {
  const { view, change, catalogue } = useDash();
  const words = dimensions.map((name) => dimensionName(name).toLowerCase()).join(' and ');
  const others = catalogue.reports
    .filter(({ name, by }) => by.length > 0 && missing(catalogue, name, view.filters).length === 0)
    .map(({ name }) => reportName(name));
  return (
    <div class="explained panel-space">
      <p>
        <strong>{reportName(report)}</strong> is not counted by {words}: what would tell them together is not kept.
      </p>
      {others.length > 0 && <p>Counted by {words}: {others.join(', ')}.</p>}
      <button
        type="button"
        class="button-link"
        onClick={() => change({ filters: view.filters.filter(({ dimension }) => !dimensions.includes(dimension)) })}
      >
        Remove the filter
      </button>
    </div>
  );
}
