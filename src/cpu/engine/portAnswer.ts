/** The answer of a polled port that generated code gives itself as long as the device would give it: see PortAnswer. */
import { type CpuState, PORT_ANSWER, PortAnswer } from '../state';

/** Keeps the answer of a 1-byte input up to tick `until`; replaces the one that was kept. */
export function keepAnswer(s: CpuState, port: number, value: number, until: number): void {
  const last = Math.min(until, Number.MAX_SAFE_INTEGER);
  s.set32(PORT_ANSWER + PortAnswer.PORT, port);
  s.set32(PORT_ANSWER + PortAnswer.VALUE, value);
  s.set32(PORT_ANSWER + PortAnswer.UNTIL, last);
  s.set32(PORT_ANSWER + PortAnswer.UNTIL + 4, last / 0x1_0000_0000);
}

export const forgetAnswer = (s: CpuState): void => s.clear64(PORT_ANSWER + PortAnswer.UNTIL);
