// biome-ignore-all lint/style/noDefaultExport: so the bundler gives files

/** A file in the bundle, as an address that can be fetched. */
declare module '*.png' {
  const address: string;
  export default address;
}
declare module '*.wasm' {
  const address: string;
  export default address;
}
/** A file in the bundle, as its bytes. */
declare module '*.safetensors' {
  const bytes: Uint8Array;
  export default bytes;
}
/** A module in the bundle as the script of a worker. */
declare module 'worker:*' {
  const script: string;
  export default script;
}
