export function unpacked(...names: string[]): { root?: string; why?: string };
