// The face of a site.

export function Site() {
  return null;
}
