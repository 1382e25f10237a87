/** Reads values that lie in an address space rather than in a frame. */
import type { ValueReader } from '../../symbols/values';
import type { SpaceName } from '../memory/memorySpace';
import type { Target } from '../target';

export const spaceReader = (target: Target, space: SpaceName): ValueReader => ({
  register: () => undefined,
  memory: (address, length) => {
    const bytes = target.read(space, address, length);
    return bytes.length === length ? bytes : undefined;
  },
});
