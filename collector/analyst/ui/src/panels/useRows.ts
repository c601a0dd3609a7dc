// The rows of a tab: its report's answer, and for time on page the hits of the same pages beside them.

import type { Answer, Line } from '../api';
import { lines } from '../api';
import { scope, useDash } from '../state';
import { useAnswer } from '../useAnswer';
import type { Asked } from '../useAnswer';
import { belongs } from './panel';
import type { Tab } from './panel';

const ROWS_OF_A_GROUP = 1_000; // groups are told apart here, in the browser

export interface Rows extends Asked {
  rows: Line[];
}

/** The first `most` rows of the tab, most first. */
export function useRows(tab: Tab, most: number, ready: boolean): Rows {
  const { view } = useDash();
  const limit = tab.report === 'sources' ? ROWS_OF_A_GROUP : most;
  const asked = useAnswer(
    tab.report,
    scope(view, { by: tab.by, limit, compare: '', ...(tab.sort ? { sort: tab.sort } : {}) }),
    ready,
  );
  const hits = usePageHits(tab, asked.answer);
  const rows = (asked.answer ? lines(asked.answer) : []).filter((row) => belongs(tab, row)).slice(0, most);
  if (tab.report !== 'page_time') return { ...asked, rows };
  const told = new Map((hits.answer ? lines(hits.answer) : []).map((row) => [row['path'], row['events'] ?? null]));
  return {
    ...asked,
    error: asked.error ?? hits.error,
    loading: asked.loading || hits.loading,
    rows: rows.map((row) => ({ ...row, hits: told.get(row['path'] ?? null) ?? null })),
  };
}

/** The hits of the pages whose time is told; nothing is asked for any other tab. */
function usePageHits(tab: Tab, answer: Answer | null): Asked {
  const { view } = useDash();
  const paths = tab.report === 'page_time' && answer ? lines(answer).map((row) => String(row['path'])) : [];
  const filters = [...view.filters, { dimension: 'path', op: '==' as const, values: paths }];
  const params = scope(view, { by: ['path'], limit: Math.max(1, paths.length), compare: '', filters });
  return useAnswer(paths.length > 0 ? 'pages' : null, params);
}
