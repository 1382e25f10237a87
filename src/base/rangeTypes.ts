/** Types of an address range by the names that `.e820` text gives them: the course's two, and the rest of ACPI's INT 15h E820. */
export interface RangeType {
  name: string;
  /** Number in the type field of an E820 entry. */
  value: number;
  /** For hovers. */
  meaning: string;
}

export const RANGE_TYPES: readonly RangeType[] = [
  { name: 'USABLE', value: 1, meaning: 'RAM that the operating system may use.' },
  { name: 'RESERVED', value: 2, meaning: 'In use by firmware or devices: the operating system must leave it alone.' },
  { name: 'ACPI_RECLAIMABLE', value: 3, meaning: 'RAM that holds the ACPI tables: usable once they have been read.' },
  { name: 'ACPI_NVS', value: 4, meaning: 'RAM that firmware keeps across sleep: the operating system must save and restore it.' },
  { name: 'BAD', value: 5, meaning: 'RAM found faulty: it must not be used.' },
];

/** The type that a word names, whatever its case. */
export const rangeType = (name: string): RangeType | undefined => RANGE_TYPES.find((type) => type.name === name.toUpperCase());

/** The name of a type's number; `type 7` for one that has none. */
export const rangeName = (value: number): string => RANGE_TYPES.find((type) => type.value === value)?.name ?? `type ${value}`;
