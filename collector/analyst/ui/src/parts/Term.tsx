// A word with an explanation that shows on hover and on focus, and is read out.

import { useId } from 'preact/hooks';

export const OTHER_TELLS =
  'Other: what too few networks stand for to be named, and what is not declared. Small groups are merged, so that'
  + ' nobody can be singled out; totals include them.';

export function Term({ label, tells }: { label: string; tells: string }) {
  const id = useId();
  return (
    <span class="term" tabIndex={0} aria-describedby={id}>
      {label}
      <span class="term-tells" role="tooltip" id={id}>{tells}</span>
    </span>
  );
}
