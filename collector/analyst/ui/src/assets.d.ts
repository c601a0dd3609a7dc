declare module '*.css';
declare module 'made:world.json' {
  /** The map's address (build.mjs). */
  const address: string;
  export default address;
}
