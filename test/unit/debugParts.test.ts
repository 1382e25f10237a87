/** Small parts of the debugger by themselves: page walks, instruction kinds, exit storms, memory references, message framing. */
import assert from 'node:assert';
import { parseReference, referenceTo, fromBase64, toBase64 } from '../../src/adapter/memoryReference';
import { frame, MessageReader } from '../../src/adapter/hosts/messageStream';
import { StormDetector } from '../../src/debug/checks/exitStorm';
import { definedByExit, undefinedNote } from '../../src/debug/exits/definedFields';
import { linearFor } from '../../src/debug/checks/linearAddress';
import { walkPages, type PagingRegisters } from '../../src/debug/memory/pageWalk';
import { instructionKind } from '../../src/debug/run/instructionKind';
import { nearest } from '../../src/base/nearest';
import { Encoding, Reason } from '../../src/vmx/tables';
import type { ExitRecord } from '../../src/vmx/observe';
import type { Target } from '../../src/debug/target';

describe('debugger: page walk', () => {
  const PG = 1n << 31n;
  const read = (entries: Record<number, bigint>) => (address: number) => entries[address] ?? 0n;
  const long: PagingRegisters = { cr0: PG, cr3: 0x1000n, cr4: 1n << 5n, efer: (1n << 10n) | (1n << 11n) };

  it('no paging: linear is physical', () => assert.strictEqual(walkPages({ cr0: 0n, cr3: 0n, cr4: 0n, efer: 0n }, 0x1_0000_1234n, read({})), 0x1234));
  it('four levels to a 4-KiB page', () => {
    const tables = { 0x1ff8: 0x2003n, 0x2ff0: 0x3003n, 0x3008: 0x4003n, 0x4010: 0x5003n | (1n << 63n) };
    assert.strictEqual(walkPages(long, 0xffff_ffff_8020_2abcn, read(tables)), 0x5abc);
  });
  it('a 2-MiB and a 1-GiB page', () => {
    assert.strictEqual(walkPages(long, 0x20_1234n, read({ 0x1000: 0x2003n, 0x2000: 0x3003n, 0x3008: 0x4000_0083n })), 0x4000_1234);
    assert.strictEqual(walkPages(long, 0x4020_1234n, read({ 0x1000: 0x2003n, 0x2008: 0x8000_0083n })), 0x8020_1234);
  });
  it('what is not present is not there', () => assert.strictEqual(walkPages(long, 0x1000n, read({})), undefined));
  it('PAE through its four pointers', () => {
    const registers = { cr0: PG, cr3: 0x1020n, cr4: 1n << 5n, efer: 0n };
    assert.strictEqual(walkPages(registers, 0xc020_1005n, read({ 0x1038: 0x2001n, 0x2008: 0x3003n, 0x3008: 0x6003n })), 0x6005);
  });
  it('32-bit paging with 4-KiB and 4-MiB pages', () => {
    const registers = { cr0: PG, cr3: 0x1000n, cr4: 1n << 4n, efer: 0n };
    assert.strictEqual(walkPages(registers, 0x0040_1007n, read({ 0x1004: 0x2003n, 0x2004: 0x7003n })), 0x7007);
    assert.strictEqual(walkPages(registers, 0x0040_1007n, read({ 0x1004: 0x80_0083n })), 0x80_1007);
  });
});

describe('debugger: kinds of instruction', () => {
  const KINDS: [string, number[], string][] = [
    ['call rel32', [0xe8, 0, 0, 0, 0], 'call'],
    ['call rax', [0xff, 0xd0], 'call'],
    ['call r8 (REX)', [0x41, 0xff, 0xd0], 'call'],
    ['jmp rax', [0xff, 0xe0], 'other'],
    ['ret', [0xc3], 'return'],
    ['repz ret', [0xf3, 0xc3], 'return'],
    ['iretq', [0x48, 0xcf], 'return'],
    ['rep movsb', [0xf3, 0xa4], 'repeat'],
    ['movsb', [0xa4], 'other'],
    ['vmlaunch', [0x0f, 0x01, 0xc2], 'vm-entry'],
    ['vmresume', [0x0f, 0x01, 0xc3], 'vm-entry'],
    ['vmcall', [0x0f, 0x01, 0xc1], 'other'],
    ['syscall', [0x0f, 0x05], 'system-call'],
    ['int 0x30', [0xcd, 0x30], 'software-interrupt'],
    ['hlt', [0xf4], 'halt'],
    ['nothing', [], 'other'],
  ];
  for (const [name, bytes, kind] of KINDS) it(name, () => assert.strictEqual(instructionKind(Uint8Array.from(bytes), true), kind));
  it('REX is INC in 32-bit code', () => assert.strictEqual(instructionKind(Uint8Array.from([0x41, 0xff, 0xd0]), false), 'other'));
});

describe('debugger: exit information that an exit defines', () => {
  const of = (fields: Partial<Record<keyof typeof Encoding, number>>) => (encoding: number): bigint => BigInt(Object.entries(fields).find(([name]) => Encoding[name as keyof typeof Encoding] === encoding)?.[1] ?? 0);
  const rows: [string, keyof typeof Encoding, Partial<Record<keyof typeof Encoding, number>>, boolean][] = [
    ['OUT has no linear address', 'GUEST_LINEAR_ADDRESS', { VM_EXIT_REASON: Reason.IO_INSTRUCTION, EXIT_QUALIFICATION: 0x0070_0000 }, false],
    ['OUTS has one', 'GUEST_LINEAR_ADDRESS', { VM_EXIT_REASON: Reason.IO_INSTRUCTION, EXIT_QUALIFICATION: 0x0070_0010 }, true],
    ['OUTS has instruction information', 'VM_EXIT_INSTRUCTION_INFO', { VM_EXIT_REASON: Reason.IO_INSTRUCTION, EXIT_QUALIFICATION: 0x0070_0010 }, true],
    ['LMSW of memory has a linear address', 'GUEST_LINEAR_ADDRESS', { VM_EXIT_REASON: Reason.CR_ACCESS, EXIT_QUALIFICATION: 0x70 }, true],
    ['MOV to CR has none', 'GUEST_LINEAR_ADDRESS', { VM_EXIT_REASON: Reason.CR_ACCESS }, false],
    ['an EPT violation by a page walk of PDPTEs has no linear address', 'GUEST_LINEAR_ADDRESS', { VM_EXIT_REASON: Reason.EPT_VIOLATION, EXIT_QUALIFICATION: 0x1 }, false],
    ['an EPT misconfiguration has a guest-physical address', 'GUEST_PHYSICAL_ADDRESS', { VM_EXIT_REASON: Reason.EPT_MISCONFIGURATION }, true],
    ['#PF has an error code', 'VM_EXIT_INTERRUPTION_ERROR_CODE', { VM_EXIT_REASON: 0, VM_EXIT_INTERRUPTION_INFO: 0x8000_0b0e }, true],
    ['#UD has none', 'VM_EXIT_INTERRUPTION_ERROR_CODE', { VM_EXIT_REASON: 0, VM_EXIT_INTERRUPTION_INFO: 0x8000_0306 }, false],
    ['a fault has no instruction length', 'VM_EXIT_INSTRUCTION_LENGTH', { VM_EXIT_REASON: 0, VM_EXIT_INTERRUPTION_INFO: 0x8000_0306 }, false],
    ['INT3 has one', 'VM_EXIT_INSTRUCTION_LENGTH', { VM_EXIT_REASON: 0, VM_EXIT_INTERRUPTION_INFO: 0x8000_0603, VM_EXIT_INSTRUCTION_LENGTH: 1 }, true],
    ['a failed entry leaves interruption information as it was', 'VM_EXIT_INTERRUPTION_INFO', { VM_EXIT_REASON: 0x8000_0021 }, false],
    ['and defines its qualification', 'EXIT_QUALIFICATION', { VM_EXIT_REASON: 0x8000_0021 }, true],
    ['guest state is no exit information', 'GUEST_RIP', { VM_EXIT_REASON: 0x8000_0021 }, true],
    ['I/O fields are for SMIs', 'IO_RCX', { VM_EXIT_REASON: Reason.IO_SMI }, true],
  ];
  for (const [name, field, fields, defined] of rows) it(name, () => assert.strictEqual(definedByExit(Encoding[field], of(fields)), defined));
  it('a VMCS whose guest never exited has none', () => {
    assert.strictEqual(undefinedNote(Encoding.VM_EXIT_REASON, of({})), 'not defined: no VM exit yet');
    assert.strictEqual(undefinedNote(Encoding.VM_INSTRUCTION_ERROR, of({})), undefined);
    assert.strictEqual(undefinedNote(Encoding.VM_EXIT_REASON, of({ VM_EXIT_INTERRUPTION_INFO: 0x8000_0b0e })), undefined);
  });
});

describe('debugger: exit storms', () => {
  const exit = (change: Partial<ExitRecord> = {}): ExitRecord => ({ n: 1, cpu: 0, icount: 0, reason: 18, name: 'VMCALL', qualification: 0n, guestRip: 1n, instructionLength: 3, linear: undefined, gpa: undefined, details: {}, ...change });
  const storms = (n: number, of: () => ExitRecord, changed = false, enteredAt = 1n): number => {
    const detector = new StormDetector();
    let found = 0;
    for (let i = 0; i < n; i++) {
      if (detector.exit(of(), changed) > 0) found++;
      detector.entry(() => enteredAt);
    }
    return found;
  };
  it('is told once', () => assert.strictEqual(storms(1000, exit), 1));
  it('is none when a register changes', () => assert.strictEqual(storms(1000, exit, true), 0));
  it('is none when the address changes', () => {
    let gpa = 0;
    assert.strictEqual(storms(1000, () => exit({ gpa: gpa++ })), 0);
  });
  it('is none when the VMM advances RIP and the guest comes back by a loop', () => assert.strictEqual(storms(1000, exit, false, 4n), 0));
  it('is none while the guest waits', () => assert.strictEqual(storms(1000, () => exit({ name: 'HLT', reason: 12 })), 0));
});

describe('adapter: small parts', () => {
  it('memory references', () => {
    assert.deepStrictEqual(parseReference('guest:0x10', 'vmm'), { space: 'guest', address: 16n });
    assert.deepStrictEqual(parseReference('0x10', 'guest'), { space: 'guest', address: 16n });
    assert.strictEqual(referenceTo('gpa', 0x6000n), 'gpa:0x6000');
    assert.throws(() => parseReference('there', 'vmm'), /is not an address/);
    assert.deepStrictEqual(fromBase64(toBase64(Uint8Array.of(0, 255, 7))), Uint8Array.of(0, 255, 7));
  });
  it('messages arrive in any pieces', () => {
    const bytes = Buffer.from(frame({ seq: 1, type: 'request' }) + frame({ seq: 2, type: 'grüße' }));
    for (const size of [1, 3, 1000]) {
      const got: unknown[] = [];
      const reader = new MessageReader((m) => got.push(m), (s) => got.push(s));
      for (let i = 0; i < bytes.length; i += size) reader.push(bytes.subarray(i, i + size));
      assert.deepStrictEqual(got, [{ seq: 1, type: 'request' }, { seq: 2, type: 'grüße' }]);
    }
  });
  it('what is not the protocol is told', () => {
    const got: string[] = [];
    new MessageReader(() => {}, (s) => got.push(s)).push(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'));
    assert.match(got[0]!, /not the Debug Adapter Protocol/);
  });
  it('the nearest word', () => {
    assert.strictEqual(nearest('dsik', ['disk', 'drives']), 'disk');
    assert.strictEqual(nearest('xyz', ['disk', 'drives']), undefined);
  });
});

describe('a linear address where a physical one belongs', () => {
  /** 64 MiB of RAM; the VMM's linear addresses are RAM's plus an offset, as teaching kernels map it. */
  const targetAt = (offset: bigint): Target =>
    ({
      machine: { readMemory: (at: number) => (at < 64 * 2 ** 20 ? new Uint8Array(1) : undefined) },
      space: () => ({ translate: (linear: bigint) => (linear >= offset && linear < offset + 0x400_0000n ? Number(linear - offset) : undefined) }),
    }) as unknown as Target;

  it('is told although it is short enough for a physical one', () => assert.deepStrictEqual(linearFor(targetAt(0x80_0400_0000n), 0x80_0412_3000n), { linear: 0x80_0412_3000n, physical: 0x12_3000n }));
  it('is told of an address of the upper half, and of what an entry of a paging structure keeps of it', () => {
    const target = targetAt(0xffff_ffff_8000_0000n);
    assert.deepStrictEqual(linearFor(target, 0xffff_ffff_8011_0000n), { linear: 0xffff_ffff_8011_0000n, physical: 0x11_0000n });
    assert.deepStrictEqual(linearFor(target, 0x000f_ffff_8011_0000n), { linear: 0xffff_ffff_8011_0000n, physical: 0x11_0000n });
  });
  it('is none where there is RAM, or where nothing is mapped', () => {
    assert.strictEqual(linearFor(targetAt(0n), 0x12_3000n), undefined);
    assert.strictEqual(linearFor(targetAt(0x80_0400_0000n), 0x12_3000n), undefined);
    assert.strictEqual(linearFor(targetAt(0x80_0400_0000n), 0x90_0000_0000n), undefined);
  });
});
