import { macrosOf, MacroTexts } from './dwarf/macroSection';
import type { MacroText } from './macroCalls';
import { Unit } from './dwarf/unit';
import { UnitIndex } from './dwarf/unitIndex';
import { Lines } from './lines';
import type { SourceMacros } from './sourceMacros';

/** What a macro stands for, or the places that define it differently. */
export type Macro = MacroText | { readonly ambiguous: readonly string[] };

/** The macros of an image: those of its debug information, else the constants of its sources. */
export class Macros {
  private readonly byUnit = new Map<Unit, MacroTexts | undefined>();
  /** Read by the session, as sources come through files. */
  sources: SourceMacros | undefined;

  constructor(
    private readonly units: UnitIndex,
    private readonly lines: Lines,
  ) {}

  private of(unit: Unit): MacroTexts | undefined {
    if (!this.byUnit.has(unit)) this.byUnit.set(unit, macrosOf(unit));
    return this.byUnit.get(unit);
  }

  /** Whether the compiler wrote down any. */
  get recorded(): boolean {
    return this.units.programUnits.some((unit) => unit.sections.size('.debug_macro') + unit.sections.size('.debug_macinfo') > 0);
  }

  /** The macro that a name is at an address: its unit's own, else that of the first unit that has one. */
  find(name: string, address: bigint | undefined): Macro | undefined {
    const own = address === undefined ? [] : this.units.at(address);
    for (const unit of own) {
      const macro = this.of(unit)?.get(name);
      if (macro !== undefined) return macro;
    }
    if (this.recorded) {
      for (const unit of this.units.programUnits) {
        const macro = this.of(unit)?.get(name);
        if (macro !== undefined) return macro;
      }
    }
    const found = this.sources?.find(name, address === undefined ? undefined : this.lines.at(address)?.file) ?? [];
    if (found.length === 0) return undefined;
    return found.length === 1 ? { text: found[0].text, ...(found[0].parameters ? { parameters: found[0].parameters } : {}) } : { ambiguous: found.map(({ path, line, text }) => `${text} (${path.slice(path.lastIndexOf('/') + 1)}:${line})`) };
  }

  /** Names of macros at an address; those of other units only where there is no address. */
  names(address: bigint | undefined): string[] {
    const units = address === undefined ? this.units.programUnits : this.units.at(address);
    return [...new Set([...units.flatMap((unit) => [...(this.of(unit)?.keys() ?? [])]), ...(this.sources?.names() ?? [])])];
  }
}
