/** Images in a folder that is no known tree: what could be started from it, and which symbols lie beside. */
import { faultOf, UserError } from '../../base/errors';
import type { FileSource } from '../../base/files';
import { isElf } from '../../machine/boot/elfHeader';
import { hasMultibootHeader } from '../../machine/boot/multiboot';
import { hasMultiboot2Header } from '../../machine/boot/multiboot2';
import type { BootConfiguration, SymbolFile } from './configuration';
import { checkBootDisk } from './imageCheck';
import { mayBeProgram } from './symbolFiles';

/** Larger files are not read merely to see what they are: 1 GiB of a disk or CD, and a kernel. */
const MOST_IMAGE = 2 ** 30;
const MOST_KERNEL = 64 * 2 ** 20;

interface Sort {
  /** As the sentences say. */
  words: string;
  /** By its name it may be one, and is read then. */
  named(name: string): boolean;
  most: number;
  holds(name: string, bytes: Uint8Array): boolean;
  boot(file: string): Exclude<BootConfiguration, { kind: 'lab' }>;
}

const startsAsDisk = (name: string, bytes: Uint8Array): boolean => faultOf(() => checkBootDisk(name, bytes)) === undefined;

/** In the order of preference: a disk or CD is made of the kernel beside it. */
const SORTS: readonly Sort[] = [
  { words: 'disk image with a boot sector', named: (name) => /\.(img|hdd|raw|dd|bin)$/i.test(name), most: MOST_IMAGE, holds: startsAsDisk, boot: (disk) => ({ kind: 'disk', disk }) },
  { words: 'CD image', named: (name) => /\.iso$/i.test(name), most: MOST_IMAGE, holds: (_, bytes) => bytes.length > 0, boot: (cdrom) => ({ kind: 'cdrom', cdrom }) },
  {
    words: 'multiboot kernel',
    named: mayBeProgram,
    most: MOST_KERNEL,
    holds: (name, bytes) => isElf(bytes) && (hasMultibootHeader({ name, bytes }) || hasMultiboot2Header({ name, bytes })),
    boot: (kernel) => ({ kind: 'kernel', kernel, initrd: undefined, append: '', entry: undefined }),
  },
];

export interface FolderImage {
  boot: Exclude<BootConfiguration, { kind: 'lab' }>;
  note: string;
  symbols: SymbolFile[];
}

/** The one image that can be started; undefined where there is none. Throws a UserError where there are several as good. */
export async function folderImage(files: FileSource, cwd: string): Promise<FolderImage | undefined> {
  const names = (await files.list(cwd)).filter((name) => !name.startsWith('.')).sort();
  for (const { words, named, most, holds, boot } of SORTS) {
    const found: string[] = [];
    for (const name of names) {
      const file = `${cwd}/${name}`;
      if (named(name) && (await files.exists(file)) && (await files.size(file)) <= most && holds(name, await files.read(file))) found.push(name);
    }
    const [first, ...others] = found;
    if (first === undefined) continue;
    const chosen = boot(first);
    if (others.length > 0) throw new UserError('launch-configuration', `The folder has ${found.length} images that could be started (${found.join(', ')}): name one in the launch configuration, as in "boot": { "${chosen.kind}": "${first}" }.`);
    const symbols = names.filter(mayBeProgram).map((name): SymbolFile => ({ file: `${cwd}/${name}`, world: undefined }));
    return { boot: boot(`${cwd}/${first}`), note: `Starting ${first}, the only ${words} in the folder; "boot" in a launch configuration names another.`, symbols };
  }
  return undefined;
}
