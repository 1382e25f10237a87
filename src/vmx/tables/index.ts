/** VMX as tables: facts of the Intel SDM, read by the emulator, the debugger, the language server, documentation and tests. */
export * from './capabilities';
export * from './controls';
export * from './decode';
export * from './entryChecks';
export * from './exitConditions';
export * from './exitReasons';
export * from './fields';
export * from './instructionErrors';
export * from './qualification';
export * from './words';
