// A titled section of the dashboard: heading, what can be done with it, what it shows, and its notes.

import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import { Note } from './Note';

interface Props {
  title: string;
  /** Beside the heading: tabs, buttons. */
  actions?: ComponentChildren;
  /** Sentences behind the (i). */
  notes?: string[];
  /** Below a line at the end. */
  foot?: ComponentChildren;
  busy?: boolean;
  wide?: boolean;
  children: ComponentChildren;
}

export function Card({ title, actions, notes, foot, busy, wide, children }: Props) {
  const id = useId();
  return (
    <section class={wide ? 'card card-wide' : 'card'} aria-labelledby={id} aria-busy={busy ?? false}>
      <header class="card-head">
        <h2 id={id}>{title}</h2>
        <Note notes={notes ?? []} about={title} />
        {actions && <div class="card-actions">{actions}</div>}
      </header>
      <div class="card-body">{children}</div>
      {foot && <footer class="card-foot">{foot}</footer>}
    </section>
  );
}
