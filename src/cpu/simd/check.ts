/** What every SIMD instruction that TypeScript performs checks first. */
import { Cr0, Cr4 } from '../controlBits';
import type { Instruction } from '../decode/instruction';
import { Vector } from '../fault';
import type { Processor } from '../processor';
import { isMemory, memoryLinear } from '../system/operands';
import { requireFeature, undefinedOpcode } from '../system/privilege';
import { avxEnabled, type SimdFeature } from './levels';

/** #UD where the feature or the system's support is missing, #NM where a task switch is to be noticed (SDM volume 3, "Emulation of SSE Extensions"). */
export function requireSimd(cpu: Processor, feature: SimdFeature): void {
  const s = cpu.state;
  if (s.cr0 & Cr0.EM || !(s.cr4 & Cr4.OSFXSR)) undefinedOpcode(cpu);
  requireFeature(cpu, feature);
  if (s.cr0 & Cr0.TS) throw cpu.fault.exception(Vector.NM);
}

/** What every VEX-encoded vector instruction checks first: #UD unless the system enabled AVX state, #NM (SDM volume 2, "Exceptions Type 1" and its neighbours). */
export function requireAvx(cpu: Processor): void {
  if (!avxEnabled(cpu.state)) undefinedOpcode(cpu);
  if (cpu.state.cr0 & Cr0.TS) throw cpu.fault.exception(Vector.NM);
}

/** VEX-encoded instructions whose memory operand has to be aligned to its width. */
const VEX_ALIGNED = new Set(['vmovaps', 'vmovapd', 'vmovdqa', 'vmovntps', 'vmovntpd', 'vmovntdq', 'vmovntdqa']);

/** #GP(0) for a memory operand of such an instruction that is not aligned. */
export function requireVexAlignment(cpu: Processor, insn: Instruction, mnemonic: string): void {
  if (!VEX_ALIGNED.has(mnemonic)) return;
  for (let i = 0; i < insn.operandCount; i++) {
    const { size } = insn.operands[i]!;
    if (isMemory(insn, i) && memoryLinear(cpu, insn, size, i === 0) & BigInt(size - 1)) throw cpu.fault.exception(Vector.GP, 0);
  }
}

/** Instructions whose 16-byte memory operand may lie anywhere. */
const UNALIGNED = new Set(['movups', 'movupd', 'movdqu', 'lddqu', 'pcmpestri', 'pcmpestrm', 'pcmpistri', 'pcmpistrm']);

/** #GP(0) for a 16-byte memory operand that is not aligned (SDM volume 1, "Memory Alignment"). */
export function requireAlignment(cpu: Processor, insn: Instruction, mnemonic: string): void {
  if (UNALIGNED.has(mnemonic)) return;
  for (let i = 0; i < insn.operandCount; i++) {
    if (!isMemory(insn, i) || insn.operands[i]!.size !== 16) continue;
    if (memoryLinear(cpu, insn, 16, i === 0) & 15n) throw cpu.fault.exception(Vector.GP, 0);
  }
}
