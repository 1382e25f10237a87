/** The ISA bridge's interrupt router: PIRQA# to PIRQD# go to an ISA line each, as its registers say, and always to inputs of the I/O APIC. */
import { type Device, NEVER } from '../../device';

export class PirqRouter implements Device {
  readonly name = 'PCI interrupt router';
  state = this.powerOn();

  constructor(
    private readonly setIsaLine: (irq: number, level: boolean) => void,
    private readonly setInput: (pirq: number, level: boolean) => void,
  ) {}

  private powerOn() {
    return { levels: [false, false, false, false], routes: [undefined, undefined, undefined, undefined] as (number | undefined)[] };
  }
  reset(): void {
    this.state = this.powerOn();
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  set(pirq: number, level: boolean): void {
    this.state.levels[pirq] = level;
    this.setInput(pirq, level);
    const irq = this.state.routes[pirq];
    if (irq !== undefined) this.drive(irq);
  }

  /** The routing registers were written. */
  route(routes: readonly (number | undefined)[]): void {
    const before = this.state.routes;
    this.state.routes = [...routes];
    for (const irq of new Set([...before, ...routes])) if (irq !== undefined) this.drive(irq);
  }

  private drive(irq: number): void {
    const { levels, routes } = this.state;
    this.setIsaLine(irq, routes.some((route, pirq) => route === irq && levels[pirq]));
  }
}
