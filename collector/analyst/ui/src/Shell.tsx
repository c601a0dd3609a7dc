// What surrounds both faces: the head with property, period and account, the filters, and the face by the property's sort.

import { useMemo, useState } from 'preact/hooks';
import { forget, signOut } from './api';
import type { Start } from './Gate';
import { Live } from './live';
import { Product } from './product/Product';
import { Site } from './site/Site';
import { DashContext, useView } from './state';

export function Shell({ start, onSignedOut }: { start: Start; onSignedOut: () => void }) {
  const [asked, change] = useView();
  const [turn, setTurn] = useState(0);
  const property = start.properties.find(({ id }) => id === asked.property) ?? start.properties[0];
  const dash = useMemo(
    () => property && { view: { ...asked, property: property.id }, change, property, catalogue: start.catalogue, turn },
    [asked, property, turn],
  );
  const leave = () => signOut().then(onSignedOut, onSignedOut);
  const refresh = () => {
    forget();
    setTurn(turn + 1);
  };
  if (!dash || !property) return <main class="door"><p>There is no property you may see.</p></main>;
  return (
    <DashContext.Provider value={dash}>
      <header class="head">
        <Live property={property.id} />
        <button type="button" class="button" onClick={refresh}>Refresh</button>
        <button type="button" class="button" onClick={leave}>Sign out</button>
      </header>
      <main class="face">{property.sort === 'site' ? <Site /> : <Product />}</main>
    </DashContext.Provider>
  );
}
