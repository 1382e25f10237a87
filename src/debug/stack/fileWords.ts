/** How sentences name a source file. */
import type { SourceFile } from '../../symbols/lines';

/** As the debug information writes it, but not as seen from the folder that the compiler was called in: `vmm/vmx.c` for `../vmm/vmx.c`. */
export const fileWords = (file: Pick<SourceFile, 'written'>): string => file.written.replace(/^(\.\.?\/)+/, '');
