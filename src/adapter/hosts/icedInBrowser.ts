/**
 * Stands in for Node's `fs` and `util` inside iced-x86 when webpack bundles it for a browser (webpack.config.js): the
 * bytes of its WebAssembly are part of the bundle.
 */
import bytes from 'iced-x86/iced_x86_bg.wasm';

/** The one file that iced-x86 reads. */
export const readFileSync = (): Uint8Array => bytes;

const { TextDecoder, TextEncoder } = globalThis;
export { TextDecoder, TextEncoder };
