// What a panel is, on either face: tabs of declared reports, and how the rows of one are read.

import type { Line } from '../api';
import { number } from '../format';
import { groupOf } from './source-groups';
import type { Group } from './source-groups';

export type Maybe = number | null;

export interface Tab {
  /** Also what the address calls its details. */
  name: string;
  label: string;
  report: string;
  by: string[];
  /** The head of the measure's column. */
  measure: string;
  /** The number a bar is as long as; events by default. */
  amount?: (row: Line) => Maybe;
  text?: (value: Maybe) => string;
  sort?: string;
  /** Rows of this group only. */
  group?: Group;
  /** Amounts add up, so a share of the total can be told. */
  shares?: boolean;
  notes?: string[];
}

export interface Panel {
  title: string;
  tabs: Tab[];
}

export const eventsOf = (row: Line): Maybe => (typeof row['events'] === 'number' ? row['events'] : null);

export const belongs = (tab: Tab, row: Line): boolean => !tab.group || groupOf(String(row[tab.by[0]!])) === tab.group;
export const amountOf = (tab: Tab, row: Line): Maybe => (tab.amount ?? eventsOf)(row);
export const textOf = (tab: Tab, value: Maybe): string => (tab.text ?? number)(value);
