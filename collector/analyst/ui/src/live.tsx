// The last thirty minutes, as they happen.

export function Live({ property }: { property: string }) {
  return <span class="live" data-property={property} />;
}
