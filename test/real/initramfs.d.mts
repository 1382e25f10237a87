export function busyboxInitramfs(what: { busybox: string; moduleFolder: string; modules?: string[]; programs?: Record<string, Uint8Array> }): Buffer;
