// What went wrong, in plain words, and a way on.

import type { ApiError } from './api';

export function Trouble({ error, again }: { error: ApiError; again: () => void }) {
  return (
    <div class="trouble" role="alert">
      <p>{told(error)}</p>
      {error.status !== 403 && error.status !== 400 && <button type="button" class="button" onClick={again}>Try again</button>}
    </div>
  );
}

function told({ status, rule }: ApiError): string {
  if (status === 0) return 'The collector does not answer. Is it running, and are you online?';
  if (status === 403) return 'You may not see this property.';
  if (status === 400 || status === 404) return rule ? `This cannot be asked: ${rule}` : 'This cannot be asked.';
  if (status === 503) return 'The database is away for a moment. Nothing is lost; counting goes on.';
  return 'That did not work.';
}
