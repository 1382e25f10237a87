/**
 * An EPT entry changed while the processor may hold its translation, and the guest uses it again with no INVEPT between
 * (SDM volume 3, "Guidelines for Use of the INVEPT Instruction"). The emulated TLB is stricter than that and takes the
 * new entry; a real processor may go on with the old one.
 */
import { hex } from '../../base/bits';
import { Encoding, Reason } from '../../vmx/tables';
import type { VmxCheck } from './check';

/** Translations remembered, by page number modulo this; of two in the same place the later one stays. */
const REMEMBERED = 1 << 15;
const PAGE_BITS = 12n;

const rightsText = (rights: number): string => ['r', 'w', 'x'].map((letter, n) => ((rights >>> n) & 1 ? letter : '-')).join('');
const pageText = (page: number, rights: number): string => (page < 0 ? 'nothing' : `host-physical ${hex(BigInt(page) << PAGE_BITS)} ${rightsText(rights)}`);

export const eptStale: VmxCheck = {
  id: 'ept-stale',
  title: 'INVEPT missing',
  sentence: 'An EPT entry that the guest has used is changed or cleared, and the guest uses it again with no INVEPT between.',
  watch({ target, report, guestPlace }) {
    const keys = new Int32Array(REMEMBERED).fill(-1);
    const pages = new Int32Array(REMEMBERED);
    const rightsOf = new Uint8Array(REMEMBERED);
    let empty = true;
    let eptpLow = 0;
    let eptpHigh = 0;
    const forget = (): void => {
      if (!empty) keys.fill(-1);
      empty = true;
    };
    return {
      eptWalked(gpaPage, page, rights) {
        const at = gpaPage % REMEMBERED;
        const known = keys[at] === gpaPage;
        if (known && pages[at] === page && (rightsOf[at]! & ~rights) === 0) {
          rightsOf[at] = rights;
          return;
        }
        if (known) {
          const gpa = BigInt(gpaPage) << PAGE_BITS;
          report(
            'instruction',
            '',
            `EPT mapped Gpa ${hex(gpa)} to ${pageText(pages[at]!, rightsOf[at]!)} when the guest used it last, and maps it to ${pageText(page, page < 0 ? 0 : rights)} now that the guest at ${guestPlace(target.cpu.instructionRip)} uses it again; there was no INVEPT between.`,
            'A real processor may still use the old entry: after changing or clearing an entry that was present, the VMM must execute INVEPT before the next VM entry.',
          );
        }
        keys[at] = page < 0 ? -1 : gpaPage;
        pages[at] = page;
        rightsOf[at] = rights;
        empty = false;
      },
      eptInvalidated: forget,
      exitsBy: Reason.EPT_VIOLATION,
      exit(record) {
        // The violation itself drops what is cached for the address.
        const page = Math.floor(record.gpa! / 0x1000);
        if (keys[page % REMEMBERED] === page) keys[page % REMEMBERED] = -1;
      },
      entry() {
        // Translations belong to an EPTP.
        const low = target.vmx.fieldWord(Encoding.EPT_POINTER);
        const high = target.vmx.fieldWord(Encoding.EPT_POINTER | 1);
        if (low !== eptpLow || high !== eptpHigh) forget();
        eptpLow = low;
        eptpHigh = high;
      },
      reset: forget,
    };
  },
};
