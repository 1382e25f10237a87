/** Bits of the x87 status and control words (SDM volume 1, "x87 FPU Status Register" and "x87 FPU Control Word"). */

/** Exceptions: the same bits are flags in the status word and masks in the control word. */
export const Exception = { INVALID: 1, DENORMAL: 2, ZERO_DIVIDE: 4, OVERFLOW: 8, UNDERFLOW: 16, PRECISION: 32 } as const;
export const EXCEPTIONS = 0x3f;
/** Exceptions found before the operation: unmasked, they leave the operands as they were. */
export const BEFORE_OPERATION = Exception.INVALID | Exception.DENORMAL | Exception.ZERO_DIVIDE;

export const Status = { STACK_FAULT: 0x40, SUMMARY: 0x80, C0: 0x100, C1: 0x200, C2: 0x400, C3: 0x4000, BUSY: 0x8000 } as const;
export const CONDITION_CODES = Status.C0 | Status.C1 | Status.C2 | Status.C3;
export const TOP_SHIFT = 11;
export const TOP_MASK = 7 << TOP_SHIFT;

/** Control word bits that can be 1; bit 6 always is. */
export const CONTROL_WRITABLE = 0x1f3f;
export const CONTROL_ALWAYS = 0x40;
/** After FINIT: all exceptions masked, 64-bit precision, round to nearest. */
export const CONTROL_INITIAL = 0x37f;

export const RoundingControl = { NEAREST: 0, DOWN: 1, UP: 2, ZERO: 3 } as const;
