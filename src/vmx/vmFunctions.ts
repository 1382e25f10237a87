/** VMFUNC: the VM functions of the guest (SDM volume 3, "VM Functions"). */
import type { Instruction } from '../cpu/decode/instruction';
import { Vector } from '../cpu/fault';
import { Gpr } from '../cpu/state';
import { exitOfInstruction } from './exit';
import { eptpValid } from './instructions';
import { Secondary } from './tables/controls';
import { Reason } from './tables/exitReasons';
import { Slot } from './tables/fields';
import type { Vmx } from './vmx';

const { EPT_POINTER, EPTP_INDEX, EPTP_LIST_ADDRESS, VM_FUNCTION_CONTROLS } = Slot;

const EPTP_SWITCHING = 0;
const LAST_FUNCTION = 63;
const EPTP_LIST_ENTRIES = 512;

/** Whether the VM-function controls have the bit of a function. */
function enabled(vmx: Vmx, n: number): boolean {
  const half = n < 32 ? vmx.vmcs.low(VM_FUNCTION_CONTROLS) : vmx.vmcs.high(VM_FUNCTION_CONTROLS);
  return ((half >>> (n & 31)) & 1) !== 0;
}

/** The function is EAX, its argument ECX. Works at any CPL; what cannot be done exits, but there are functions 0 to 63 only. */
export function vmfunc(vmx: Vmx, insn: Instruction): boolean {
  const { state: s, vmcs, cpu } = vmx;
  if (!vmx.nonRoot || !vmx.secondary(Secondary.VM_FUNCTIONS)) throw cpu.fault.exception(Vector.UD);
  const n = s.reg32(Gpr.RAX);
  if (n > LAST_FUNCTION) throw cpu.fault.exception(Vector.UD);
  const index = s.reg32(Gpr.RCX);
  if (!enabled(vmx, n) || n !== EPTP_SWITCHING || index >= EPTP_LIST_ENTRIES) return exitOfInstruction(vmx, Reason.VMFUNC, insn);
  const eptp = cpu.readPhysical(vmcs.address(EPTP_LIST_ADDRESS) + index * 8, 8);
  if (!eptpValid(vmx, eptp)) return exitOfInstruction(vmx, Reason.VMFUNC, insn);
  vmcs.set(EPT_POINTER, eptp);
  if (vmx.capabilities.has('ept-violation-ve')) vmcs.setLow(EPTP_INDEX, index);
  cpu.flushOperation(true);
  return false;
}
