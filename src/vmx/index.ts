/** VMX: the unit that a processor gets, what it tells its observer, and its tables. */
export * from './observe';
export * from './tables';
export { VmxUnit } from './unit';
