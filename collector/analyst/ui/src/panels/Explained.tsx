// Why a panel cannot be filtered so, and which reports can.

import { missing, useDash } from '../state';
import { dimensionName, reportName } from '../words';
import { TABS as PRODUCT_TABS } from '../product/panels';
import { TABS } from '../site/panels';

export function Explained({ report, dimensions }: { report: string; dimensions: string[] }) {
  const { view, change, catalogue, property } = useDash();
  const words = dimensions.map((name) => dimensionName(name).toLowerCase()).join(' and ');
  const shown = [...new Set((property.sort === 'site' ? TABS : PRODUCT_TABS).map((tab) => tab.report))];
  const others = shown.filter((name) => missing(catalogue, name, view.filters).length === 0).map(reportName);
  return (
    <div class="explained">
      <p>
        <strong>{reportName(report)}</strong> cannot be told by {words}: what would join them is not kept.
      </p>
      {others.length > 0 && <p>There are, by {words}: {others.join(', ')}.</p>}
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
