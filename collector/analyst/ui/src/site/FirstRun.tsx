// What to do where nothing was counted yet.

interface Props {
  property: string;
  again: () => void;
}

export function FirstRun({ property, again }: Props) {
  const event = JSON.stringify({ kind: 'page_hit', site: property, url: `https://${property}/` });
  const command = `curl -A Mozilla/5.0 http://${location.hostname}:8080/v1/events -d '${event}'`;
  return (
    <section class="card first" aria-labelledby="first">
      <h2 id="first">Nothing was counted on {property} yet</h2>
      <p>Send a first hit, to the address where the collector receives (its public port, 8080 unless you chose another):</p>
      <pre class="first-command" tabIndex={0}><code>{command}</code></pre>
      <p class="muted">
        The page’s host must be one of the site’s <code>hosts</code> in the configuration. <code>-A</code>, because
        curl’s own name is a bot’s, and bots are not counted.
      </p>
      <p>It is counted within some ten seconds.</p>
      <button type="button" class="button button-main" onClick={again}>Look again</button>
      <p class="muted">
        To stay: have your pages send this from every view. Countries, browsers and the like are named once ten
        networks stand behind them on a day; until then they are in “Other”.
      </p>
    </section>
  );
}
