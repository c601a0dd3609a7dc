// The sign-in page: a name and a password, or what to do without them.

import { useState } from 'preact/hooks';
import { ApiError, signIn } from './api';

export function SignIn({ said, onSignedIn }: { said: string; onSignedIn: () => void }) {
  const [message, setMessage] = useState(said);
  const [busy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    try {
      await signIn({ name: String(form.get('name')), password: String(form.get('password')) });
      onSignedIn();
    } catch (error) {
      setMessage(told(error as ApiError));
      setBusy(false);
    }
  };
  return (
    <main class="door">
      <h1>Collector</h1>
      <form class="door-form" onSubmit={submit}>
        <label>
          Name
          <input name="name" autocomplete="username" autocapitalize="none" spellcheck={false} required />
        </label>
        <label>
          Password
          <input name="password" type="password" autocomplete="current-password" required />
        </label>
        <p class="door-said" role="alert">{message}</p>
        <button type="submit" class="button button-main" disabled={busy}>Sign in</button>
      </form>
      <p class="door-hint">
        No account yet? Whoever runs the collector can make one, <code>collector user add NAME --role viewer</code>, or a
        link that signs in once: <code>collector user link</code>
      </p>
    </main>
  );
}

function told(error: ApiError): string {
  if (error.status === 401) return 'That name and password do not belong together.';
  if (error.status === 429) return `Too many tries. Please wait ${error.retryAfterS ?? 60} seconds.`;
  return error.status === 0 ? 'The collector does not answer.' : 'That did not work. Please try again.';
}
