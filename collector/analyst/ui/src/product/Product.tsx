// The face of a product.

export function Product() {
  return null;
}
