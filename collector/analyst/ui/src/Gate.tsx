// Who is there: takes a sign-in link's code out of the address, asks for the session, shows the dashboard or the sign-in
// page. A question answered by 401 brings one back here.

import { useEffect, useState } from 'preact/hooks';
import { ApiError, catalogue, forget, onSignedOut, properties, session, signIn } from './api';
import type { Start } from './api';
import { Shell } from './Shell';
import { SignIn } from './SignIn';
import { Trouble } from './Trouble';

type State = { at: 'start' } | { at: 'door'; said: string } | { at: 'trouble'; error: ApiError } | { at: 'in'; start: Start };

const SPENT = 'That sign-in link was used, is too old, or was made for other data. Sign in by name, or take another link.';
const ENDED = 'Your session has ended. Please sign in again.';

export function Gate() {
  const [state, setState] = useState<State>({ at: 'start' });
  const enter = () => {
    begin().then(
      (start) => setState({ at: 'in', start }),
      (error: ApiError) => setState(error.status === 401 ? { at: 'door', said: '' } : { at: 'trouble', error }),
    );
  };
  useEffect(() => {
    onSignedOut(() => {
      forget();
      // Whoever signed out just now is not told so by a question that was still under way.
      setState((before) => (before.at === 'in' ? { at: 'door', said: ENDED } : before));
    });
    const code = codeInAddress();
    if (!code) enter();
    else signIn({ code }).then(enter, () => setState({ at: 'door', said: SPENT }));
  }, []);
  if (state.at === 'start') return <p class="waiting" role="status">Loading…</p>;
  if (state.at === 'door') return <SignIn said={state.said} onSignedIn={enter} />;
  if (state.at === 'trouble') return <main class="door"><Trouble error={state.error} again={enter} /></main>;
  return <Shell start={state.start} onSignedOut={() => setState({ at: 'door', said: '' })} />;
}

async function begin(): Promise<Start> {
  const who = await session(); // by itself: where nobody is signed in, nothing else is asked
  const [all, reports] = await Promise.all([properties(), catalogue()]);
  return { session: who, properties: all, catalogue: reports };
}

/** The code of a sign-in link, taken out of the address so that it is in no history. */
function codeInAddress(): string | null {
  const code = new URLSearchParams(location.hash.slice(1)).get('code');
  if (code) history.replaceState(null, '', location.pathname + location.search);
  return code;
}
