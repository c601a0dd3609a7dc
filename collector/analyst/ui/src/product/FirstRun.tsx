// What to do where a product has not reported anything yet.

interface Props {
  property: string;
  again: () => void;
}

export function FirstRun({ property, again }: Props) {
  const event = JSON.stringify({
    kind: 'update_check', product: property, version: '1.0.0', channel: 'stable', os: 'windows', arch: 'x86_64',
    first: ['day', 'week', 'month', 'ever'], age: '0',
  });
  const command = `curl http://${location.hostname}:8080/v1/events -d '${event}'`;
  return (
    <section class="card card-wide first" aria-labelledby="first">
      <h2 id="first">Nothing was counted of {property} yet</h2>
      <p>The update check is all a product needs to be counted. Send a first one, to the
        address where the collector receives (its public port, 8080 unless you chose another):</p>
      <pre class="first-command" tabIndex={0}><code>{command}</code></pre>
      <p class="muted">
        Version and channel are named if the configuration declares them, else they are “Other”. <code>first</code> says
        of which periods this is the first check: day, week, month, ever.
      </p>
      <p>It is counted within some ten seconds.</p>
      <button type="button" class="button button-main" onClick={again}>Look again</button>
    </section>
  );
}
