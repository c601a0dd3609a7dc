// One question of a component: asked when it changes, the last answer staying until the next is there.

import { useEffect, useState } from 'preact/hooks';
import { ApiError, ask, query } from './api';
import type { Answer, Params } from './api';
import { useDash } from './state';

export interface Asked {
  answer: Answer | null;
  error: ApiError | null;
  loading: boolean;
  again: () => void;
}

/** The answer of `report`; with null, or while `ready` is false, nothing is asked. */
export function useAnswer(report: string | null, params: Params, ready = true): Asked {
  const { turn } = useDash();
  const [state, setState] = useState<Omit<Asked, 'again'>>({ answer: null, error: null, loading: true });
  const [tries, setTries] = useState(0);
  const address = report && ready ? `${report}?${query(params)}` : null;
  useEffect(() => {
    if (!report || address === null) return;
    let wanted = true;
    setState((before) => ({ ...before, loading: true }));
    ask(report, params).then(
      (answer) => wanted && setState({ answer, error: null, loading: false }),
      (error: ApiError) => wanted && setState({ answer: null, error, loading: false }),
    );
    return () => {
      wanted = false;
    };
  }, [address, tries, turn]);
  return { ...state, again: () => setTries(tries + 1) };
}
