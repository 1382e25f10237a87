/** webpack turns a `.wasm` file into its bytes (`asset/bytes` in webpack.config.js). */
declare module '*.wasm' {
  const bytes: Uint8Array;
  export default bytes;
}
