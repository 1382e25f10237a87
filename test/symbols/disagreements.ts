/** Differences between binutils and src/symbols that are none of ours, each with its reason. */
export const DISAGREEMENTS: readonly { readonly difference: RegExp; readonly why: string }[] = [
  {
    difference: /^another row of /,
    why: 'of several rows for one address addr2line takes the last; we take the last that begins a statement, as GDB does',
  },
  {
    difference: /^fewer inlined calls at /,
    why: 'addr2line of binutils 2.40 misses inlined calls whose ranges are given by index (clang), or in units behind type units; readelf has their ranges as we do (scopes)',
  },
  {
    // The same functions and lines, but for the name of the innermost file.
    difference: /: addr2line (\S+) [^ ,;]+:(\d+)((?:, [^;]*)?); ours \1 [^ ,;]+:\2\3$/,
    why: 'addr2line of binutils 2.40 counts the files of a DWARF 5 line table from another one; readelf names those of ours',
  },
];
