/** Commands of other debuggers for which the editor has something better: what to do instead. */
interface Elsewhere {
  names: readonly string[];
  sentence: string;
}

export const ELSEWHERE: readonly Elsewhere[] = [
  { names: ['break', 'b', 'br', 'tbreak', 'tb', 'hbreak', 'lb', 'lbreak', 'vb', 'vbreak', 'pb', 'pbreak'], sentence: 'Breakpoints are set in the editor\'s margin, functions by "+" in the Breakpoints view (handle_*, guest!start), addresses in the disassembly.' },
  { names: ['delete', 'del', 'disable', 'enable', 'clear', 'blist', 'bpe', 'bpd', 'condition', 'ignore', 'commands'], sentence: 'The Breakpoints view lists breakpoints; there each is removed, switched off and given a condition, a hit count or a log message.' },
  { names: ['watch', 'rwatch', 'awatch'], sentence: 'Data breakpoints are set from the Variables pane (right click), or by "+" in the Breakpoints view with an expression: gpa:0x6000, $cr3, $vmcs.GUEST_RIP.' },
  { names: ['unwatch'], sentence: 'Data breakpoints are removed in the Breakpoints view.' },
  { names: ['vmexitbp', 'catch'], sentence: 'VM exits stop the machine when their reason is ticked in the Breakpoints view or in the VM exits view; conditions such as "leaf == 1" belong to the same row, and "log: leaf {leaf}" prints a line in place of a stop.' },
  { names: ['dprintf'], sentence: 'Log points are set in the editor\'s margin (right click), with expressions in braces. At VM exits a line is printed by "log: leaf {leaf}" in the condition of a row of the Breakpoints view or of the VM exits view.' },
  { names: ['modebp', 'crbp', 'cpumode', 'handle'], sentence: 'Changes of mode, loads of CR3, interrupts and exceptions are rows of the Breakpoints view, to tick.' },
  { names: ['display', 'undisplay'], sentence: 'Expressions that are shown at every stop belong into the Watch pane.' },
  { names: ['list', 'l', 'layout', 'tui', 'edit'], sentence: 'The editor shows the source; the disassembly opens by a right click there.' },
  { names: ['up', 'down', 'select-frame'], sentence: 'Select a frame in the Call Stack view: registers, variables and expressions follow it.' },
  { names: ['thread'], sentence: 'Select a processor in the Call Stack view.' },
  { names: ['until', 'advance'], sentence: 'Right click a line: Run to Cursor.' },
  { names: ['jump', 'j'], sentence: 'Right click a line: Jump to Cursor. Or assign: $rip = 0x1000.' },
  { names: ['return'], sentence: 'Functions cannot be left early; "finish" runs to their end, Restart Frame (Call Stack view) goes back to their beginning.' },
  { names: ['run', 'start'], sentence: 'The Restart button puts the machine back to power-on.' },
  { names: ['quit', 'exit', 'kill', 'q'], sentence: 'The Stop button ends the session.' },
  { names: ['file', 'symbol-file', 'add-symbol-file', 'ldsym', 'load', 'directory'], sentence: 'Symbol files are "symbols" in the launch configuration; folders of sources are "sourceMap".' },
  { names: ['target'], sentence: 'This is the machine itself. To use GDB beside the editor, set "gdbPort" in the launch configuration.' },
  { names: ['trace', 'trace-reg', 'trace-mem', 'record', 'instrument', 'sb', 'sba'], sentence: 'Everything is recorded: step back, or "reverse-continue", goes to what happened before. The list of VM exits is exits().' },
  { names: ['setpmem', 'crc', 'writemem'], sentence: 'Assign through an address space: *(uint32_t *)hpa:0x1000 = 5. The memory view edits bytes.' },
  { names: ['focus', 'refresh', 'shell', 'source', 'define', 'python'], sentence: 'The Debug Console has no scripts.' },
];

export const elsewhere = (name: string): string | undefined => ELSEWHERE.find((e) => e.names.includes(name))?.sentence;
