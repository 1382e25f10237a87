/** The two worlds of a machine with a hypervisor: VMX root operation (and VMX off) is the VMM's, non-root the guest's. */
export type World = 'vmm' | 'guest';

export const otherWorld = (world: World): World => (world === 'vmm' ? 'guest' : 'vmm');

/** For sentences. */
export const WORLD_NAME: Record<World, string> = { vmm: 'VMM', guest: 'guest' };
