// One question of a component: asked when it changes. The last answer stays until the next is there, as long as it is
// of the same report by the same dimensions, so that a page does not jump.

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

interface State {
  /** What answer or error are of. */
  shape: string;
  address: string;
  turn: number;
  answer: Answer | null;
  error: ApiError | null;
}

const NOTHING: State = { shape: '', address: '', turn: 0, answer: null, error: null };

/** The answer of `report`; with null, or while `ready` is false, nothing is asked. */
export function useAnswer(report: string | null, params: Params, ready = true): Asked {
  const dash = useDash();
  const [state, setState] = useState(NOTHING);
  const [tries, setTries] = useState(0);
  const turn = dash.turn + tries;
  const wanted = report !== null && ready;
  const address = `${report}?${query(params)}`;
  const shape = `${report}?${params.property}&${params.by?.join()}`;
  useEffect(() => {
    if (report === null || !ready) return;
    let current = true;
    const settle = (answer: Answer | null, error: ApiError | null) => {
      if (current) setState({ shape, address, turn, answer, error });
    };
    ask(report, params).then((answer) => settle(answer, null), (error: ApiError) => settle(null, error));
    return () => {
      current = false;
    };
  }, [wanted, address, turn]);
  const known = wanted && state.shape === shape;
  return {
    answer: known ? state.answer : null,
    error: known ? state.error : null,
    loading: wanted && (state.address !== address || state.turn !== turn),
    again: () => setTries(tries + 1),
  };
}
