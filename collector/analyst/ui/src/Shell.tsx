// What surrounds both faces: the head with property and account, the bar with range and filters, and the face by the
// property's sort.

import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { forget, signOut } from './api';
import type { Start } from './api';
import { Choices } from './Choices';
import { Live } from './live';
import { Product } from './product/Product';
import { Site } from './site/Site';
import { DashContext, useView } from './state';
import type { Change, View } from './state';

export function Shell({ start, onSignedOut }: { start: Start; onSignedOut: () => void }) {
  const [asked, change] = useView();
  const [turn, setTurn] = useState(0);
  const property = asked.property
    ? start.properties.find(({ id }) => id === asked.property)
    : start.properties[0];
  const refresh = () => {
    forget();
    setTurn(turn + 1);
  };
  const dash = useMemo(
    () =>
      property && { view: { ...asked, property: property.id }, change, property, catalogue: start.catalogue, turn, refresh },
    [asked, property, turn],
  );
  useEffect(() => {
    document.title = property ? `${property.id} · Collector` : 'Collector';
  }, [property]);
  if (!dash || !property) {
    const leave = <Leave name={start.session.name} onLeave={onSignedOut} />;
    if (start.properties.length === 0) return <Nothing leave={leave} />;
    return <NotYours start={start} change={change} leave={leave} />;
  }
  return (
    <DashContext.Provider value={dash}>
      <a class="skip" href="#numbers">Skip to the numbers</a>
      <header class="head">
        <span class="brand" aria-hidden="true" />
        <h1 class="hidden">{property.id}: statistics</h1>
        <PropertyPicker start={start} view={dash.view} change={change} />
        <Live key={property.id} property={property.id} />
        <span class="head-space" />
        <button type="button" class="button button-quiet" aria-label="Refresh" title="Refresh" onClick={refresh}>↻</button>
        <Leave name={start.session.name} onLeave={onSignedOut} />
      </header>
      <main class="face" id="numbers" tabIndex={-1}>
        <Choices />
        {property.sort === 'site' ? <Site key={property.id} /> : <Product key={property.id} />}
        <p class="colophon">
          Days are UTC. Only counts are kept: no visitor can be followed from page to page, or from day to day.
        </p>
      </main>
    </DashContext.Provider>
  );
}

function PropertyPicker({ start, view, change }: { start: Start; view: View; change: Change }) {
  const sorts = [
    { sort: 'site', label: 'Sites' },
    { sort: 'product', label: 'Products' },
  ];
  return (
    <label class="property">
      <span class="hidden">Property</span>
      <select
        class="field"
        value={view.property}
        onChange={(event) => change({ property: event.currentTarget.value, filters: [], metric: '', details: '' })}
      >
        {sorts.map(({ sort, label }) => {
          const of = start.properties.filter((property) => property.sort === sort);
          return of.length > 0 && (
            <optgroup key={sort} label={label}>
              {of.map(({ id }) => <option key={id} value={id}>{id}</option>)}
            </optgroup>
          );
        })}
      </select>
    </label>
  );
}

function Leave({ name, onLeave }: { name: string; onLeave: () => void }) {
  const leave = () => signOut().then(onLeave, onLeave);
  return (
    <button type="button" class="button button-quiet" title={`Signed in as ${name}`} onClick={leave}>Sign out</button>
  );
}

function Nothing({ leave }: { leave: ComponentChildren }) {
  return (
    <main class="door">
      <h1>Nothing to see yet</h1>
      <p>
        You are signed in, but there is no site or product that you may see. Whoever runs the collector can give you one,
        or declare the first: <code>[[site]]</code> and <code>[[product]]</code> in its configuration.
      </p>
      {leave}
    </main>
  );
}

/** The address names a property that is not there, or not for whoever is signed in: which of both is not told. */
function NotYours({ start, change, leave }: { start: Start; change: Change; leave: ComponentChildren }) {
  return (
    <main class="door">
      <h1>You may not see this property</h1>
      <p>The address names one that is not there, or that is not yours to see. Whoever runs the collector can change that.</p>
      <ul class="door-choices" aria-label="Yours to see">
        {start.properties.map(({ id }) => (
          <li key={id}>
            <button type="button" class="button" onClick={() => change({ property: id, filters: [], metric: '', details: '' })}>{id}</button>
          </li>
        ))}
      </ul>
      {leave}
    </main>
  );
}
