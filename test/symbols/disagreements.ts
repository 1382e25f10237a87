/** Differences between binutils and src/symbols that are none of ours, each with its reason. */
export const DISAGREEMENTS: readonly { readonly difference: RegExp; readonly why: string }[] = [
  {
    difference: /^another row of /,
    why: 'of several rows for one address addr2line takes the last; we take the last that begins a statement, as GDB does',
  },
  {
    difference: /^fewer inlined calls at /,
    why: 'addr2line of binutils 2.40 misses inlined calls whose ranges are given by index (clang), or in units behind type units, or that begin with an empty range (gcc -O2); readelf has their ranges as we do (scopes)',
  },
  {
    // The same functions and lines, but for the name of the innermost file.
    difference: /: addr2line (\S+) [^ ,;]+:(\d+)((?:, [^;]*)?); ours \1 [^ ,;]+:\2\3$/,
    why: 'addr2line of binutils 2.40 counts the files of a DWARF 5 line table from another one; readelf names those of ours',
  },
  {
    difference: /: addr2line _Z\d+(__static_initialization_and_destruction_0)ii (\S+); ours \1 \2$/,
    why: 'of a function that g++ has made itself the debug information has no linkage name: addr2line takes the symbol\'s',
  },
  {
    // The same lines, but the inlined call has the name of the function around it.
    difference: /: addr2line (\S+) (\S+), \1 (\S+); ours \S+ \2, \1 \3$/,
    why: 'addr2line of binutils 2.40 does not find the names of inlined functions that dwz has moved to a partial unit, which readelf shows there',
  },
  {
    difference: /: ORC has nothing$/,
    why: 'Linux\'s objtool, which writes ORC, follows the code: where no way leads (behind a call that does not return) it has no entry',
  },
  {
    difference: /: ORC knows of more pushes: /,
    why: 'assembly inside of C pushes, which compilers do not describe and objtool sees',
  },
  {
    difference: /: one by r10: /,
    why: 'where a function aligns its stack, r10 has just got what rsp has, and either tells the same in a real frame',
  },
  {
    difference: /: ORC follows another stack: /,
    why: 'the kernel changes to its interrupt stack in assembly inside of C, which compilers do not describe and objtool sees',
  },
];
