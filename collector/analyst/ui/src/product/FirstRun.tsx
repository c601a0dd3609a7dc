// What to do where a product has not reported anything yet.

interface Props {
  property: string;
  again: () => void;
}

export function FirstRun({ property, again }: Props) {
  const query = new URLSearchParams({ product: property, v: '1.0.0', os: 'windows', arch: 'x86_64', ch: 'stable', first: 'dwme', age: '0' });
  const command = `curl 'http://${location.hostname}:8080/v1/check?${query}'`;
  return (
    <section class="card card-wide first" aria-labelledby="first">
      <h2 id="first">Nothing was counted of {property} yet</h2>
      <p>The update check is all a product needs to be counted. Send a first one, to the collector’s public port:</p>
      <pre class="first-command" tabIndex={0}><code>{command}</code></pre>
      <p class="muted">
        Version and channel are named if the configuration declares them, else they are “Other”. <code>first</code> says
        of which periods this is the first check: day, week, month, ever.
      </p>
      <p>It is counted within seconds.</p>
      <button type="button" class="button button-main" onClick={again}>Look again</button>
    </section>
  );
}
