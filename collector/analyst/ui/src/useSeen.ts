// Whether an element is, or was, about to be seen: what is far below is asked for when somebody gets there.

import { useEffect, useState } from 'preact/hooks';
import type { RefObject } from 'preact';

const AHEAD = '400px';

export function useSeen(root: RefObject<HTMLElement | null>): boolean {
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    if (!root.current || seen) return;
    const watch = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && setSeen(true), {
      rootMargin: AHEAD,
    });
    watch.observe(root.current);
    return () => watch.disconnect();
  }, [seen]);
  return seen;
}
