/** What a launch configuration means: which images to start, which symbols to read, where sources may be. */
import { UserError } from '../../base/errors';
import type { FileSource } from '../../base/files';
import type { BootConfiguration, LaunchConfiguration, SymbolFile } from './configuration';
import { folderImage } from './folderImages';
import { isAbsolute, resolvePath } from './paths';
import { expandSymbols, symbolFolders } from './symbolFiles';

/** `firmware`: nothing is named to start, the firmware looks for it. */
export type WholeBoot = Exclude<BootConfiguration, { kind: 'lab' }> | { kind: 'firmware' };

/** All paths are whole. */
export interface LaunchTargets {
  /** For the console: what was chosen when the configuration left it open. */
  note: string | undefined;
  /** The note is for all to see: what starts is hardly what the user has in the folder. */
  unexpected?: boolean;
  boot: WholeBoot;
  /** Firmware images in place of the BIOS; none for the BIOS. */
  firmware?: string[];
  drives: string[];
  /** Floppy disks besides the boot disk; absent for none. */
  floppies?: string[];
  /** File with the memory map that the firmware is to report. */
  e820: string | undefined;
  symbols: SymbolFile[];
  /** Symbol files found, not asked for: one that cannot be read is left out. */
  optionalSymbols: SymbolFile[];
  /** Folders in which sources are searched. */
  roots: string[];
  /** The images came with Hyperstep, together with their sources: dates say nothing about them. */
  shipped: boolean;
}

/** Where the lab's images are in its folder, or in a folder built from it. */
const LAB_FOLDERS = ['images/complete', 'lab/images/complete'];
/** A JOS tree's images: kernel with boot sector, file system, kernel with symbols, the guest's kernel. */
const JOS = { disk: 'obj/kern/kernel.img', fileSystem: 'obj/fs/fs.img', kernel: 'obj/kern/kernel', guest: 'vmm/guest/obj/kern/kernel' };
/** A JOS tree's boot sectors with symbols, for the way from real mode to the kernels. */
const JOS_BOOT: readonly SymbolFile[] = [{ file: 'obj/boot/boot.out', world: undefined }, { file: 'vmm/guest/obj/boot/boot.out', world: 'guest' }];
/** What a JOS tree has before it is built. */
const JOS_SOURCES = ['kern/Makefrag', 'boot/Makefrag'];
/** The code of an error that make takes care of. */
export const NOT_BUILT = 'not-built';
const MAKEFILES = ['GNUmakefile', 'makefile', 'Makefile'];
/** An xv6 tree's images; its programs with symbols are called `_sh` and the like. Where the kernel lies varies. */
const XV6 = { disk: 'xv6.img', fileSystem: 'fs.img', kernels: ['kernel', 'kernel.elf', 'out/kernel.elf', 'kernelmemfs'], boot: 'bootblock.o', program: /^_\w+$/ };
/** Folders of a JOS tree with user programs, by world. */
const JOS_PROGRAMS: readonly [string, SymbolFile['world']][] = [['obj/user', undefined], ['obj/fs', undefined], ['vmm/guest/obj/user', 'guest'], ['vmm/guest/obj/fs', 'guest']];

function lab(folder: string, sources: string): LaunchTargets {
  return {
    note: undefined,
    boot: { kind: 'disk', disk: `${folder}/vmm.img` },
    drives: [`${folder}/guest.img`],
    e820: undefined,
    symbols: [{ file: `${folder}/vmm.elf`, world: 'vmm' }, { file: `${folder}/guest.elf`, world: 'guest' }],
    // Of the boot sectors, for the way from real mode to the kernels; a lab that was built earlier has none.
    optionalSymbols: [{ file: `${folder}/vmm-boot.elf`, world: 'vmm' }, { file: `${folder}/guest-boot.elf`, world: 'guest' }],
    roots: [sources],
    shipped: false,
  };
}

/** Decides what to start. `cwd` is the folder that relative paths start from; without one only whole paths are possible. */
export async function findTargets(configuration: LaunchConfiguration, files: FileSource, packageRoot: string, cwd: string | undefined): Promise<LaunchTargets> {
  const { boot } = configuration;
  const builtIn = (): LaunchTargets => ({ ...lab(`${packageRoot}/lab/images/complete`, `${packageRoot}/lab`), shipped: true });
  let targets: LaunchTargets;
  const firmware = configuration.machine.firmware.map((file) => whole(file, cwd));
  if (firmware.length > 0 && (boot?.kind === 'multiboot' || boot?.kind === 'lab' || (boot?.kind === 'kernel' && boot.entry !== undefined))) throw new UserError('launch-configuration', `"machine.firmware" starts disks, CDs, and by "boot.kernel" Linux kernels and UEFI applications; leave it out for "boot.${boot.kind === 'kernel' ? 'entry' : boot.kind}".`);
  if (firmware.length > 0) targets = nothingElse(boot === undefined || boot.kind === 'lab' ? { kind: 'firmware' } : wholeBoot(boot, cwd));
  else if (boot === undefined) {
    await refuseUnbuilt(files, cwd);
    const unexpected = cwd !== undefined && (await files.list(cwd)).length > 0;
    targets = (await found(files, cwd)) ?? (await alone(files, cwd)) ?? { ...builtIn(), unexpected, note: 'No images were found in the folder and "boot" is not given: this is the built-in lab.' };
  } else if (boot.kind === 'lab') targets = builtIn();
  else targets = await named(configuration, wholeBoot(boot, cwd), files, cwd);
  const expanded = configuration.symbols && (await expandSymbols(files, configuration.symbols.map((s) => ({ ...s, file: whole(s.file, cwd) }))));
  const symbols = expanded?.named;
  return {
    ...targets,
    firmware,
    e820: configuration.machine.e820 === undefined ? undefined : whole(configuration.machine.e820, cwd),
    drives: configuration.drives?.map((d) => whole(d, cwd)) ?? targets.drives,
    floppies: configuration.floppies.map((file) => whole(file, cwd)),
    symbols: symbols ?? (targets.boot.kind === 'multiboot' && boot !== undefined ? [{ file: targets.boot.multiboot, world: undefined }] : targets.symbols),
    // A kernel that is an ELF has its own symbols; a bzImage has none.
    optionalSymbols: expanded ? expanded.found : targets.boot.kind === 'kernel' && boot !== undefined ? [{ file: targets.boot.kernel, world: undefined }] : targets.optionalSymbols,
    roots: [...new Set([...(cwd === undefined ? [] : [cwd]), ...targets.roots, ...symbolFolders(expanded ? [...expanded.named, ...expanded.found] : targets.symbols)])],
  };
}

/** What is named and nothing that belongs to it. */
const nothingElse = (boot: WholeBoot): LaunchTargets => ({ note: undefined, boot, drives: [], e820: undefined, symbols: [], optionalSymbols: [], roots: [], shipped: false });

/** A disk that belongs to a tree brings along what the configuration does not mention: the tree's other drives and its symbols. */
async function named(configuration: LaunchConfiguration, boot: LaunchTargets['boot'], files: FileSource, cwd: string | undefined): Promise<LaunchTargets> {
  const alone = nothingElse(boot);
  if (boot.kind !== 'disk') return alone;
  if (!(await files.exists(boot.disk)) && cwd !== undefined && (await Promise.all(MAKEFILES.map((name) => files.exists(`${cwd}/${name}`)))).includes(true)) {
    throw new UserError(NOT_BUILT, `${boot.disk} does not exist: run make first, or check the path.`);
  }
  const tree = await found(files, cwd);
  if (tree?.boot.kind !== 'disk' || tree.boot.disk !== boot.disk) return alone;
  const taken = [...(configuration.drives === undefined && tree.drives.length > 0 ? ['"drives"'] : []), ...(configuration.symbols === undefined ? ['"symbols"'] : [])];
  return { ...tree, note: taken.length === 0 ? undefined : `${taken.join(' and ')} ${taken.length > 1 ? 'are' : 'is'} not given: taken from the tree in ${cwd}.` };
}

function whole(path: string, cwd: string | undefined): string {
  if (cwd === undefined && !isAbsolute(path)) throw new UserError('launch-configuration', `${path} is a relative path and no folder is open: open the folder, or write the whole path.`);
  return resolvePath(cwd ?? '', path);
}

function wholeBoot(boot: Exclude<BootConfiguration, { kind: 'lab' }>, cwd: string | undefined): Exclude<BootConfiguration, { kind: 'lab' }> {
  if (boot.kind === 'disk') return { ...boot, disk: whole(boot.disk, cwd) };
  if (boot.kind === 'cdrom') return { ...boot, cdrom: whole(boot.cdrom, cwd) };
  if (boot.kind === 'kernel') return { ...boot, kernel: whole(boot.kernel, cwd), initrd: boot.initrd === undefined ? undefined : whole(boot.initrd, cwd) };
  return { ...boot, multiboot: whole(boot.multiboot, cwd), modules: boot.modules.map((m) => ({ ...m, file: whole(m.file, cwd) })) };
}

/** A JOS tree without its image is to be built: starting the built-in lab in its place would help nobody. */
async function refuseUnbuilt(files: FileSource, cwd: string | undefined): Promise<void> {
  if (cwd === undefined || (await files.exists(`${cwd}/${JOS.disk}`))) return;
  const sources = await Promise.all(JOS_SOURCES.map((path) => files.exists(`${cwd}/${path}`)));
  if (sources.every(Boolean)) throw new UserError(NOT_BUILT, `${cwd} holds a JOS tree that has not been built: there is no ${JOS.disk}. Run make first, or give "boot".`);
}

/** The image that lies in a folder which is no tree. */
async function alone(files: FileSource, cwd: string | undefined): Promise<LaunchTargets | undefined> {
  const image = cwd === undefined ? undefined : await folderImage(files, cwd);
  return image && { ...nothingElse(image.boot), note: image.note, optionalSymbols: image.symbols };
}

/** The images of the lab, of a JOS tree or of an xv6 tree in a folder. */
async function found(files: FileSource, cwd: string | undefined): Promise<LaunchTargets | undefined> {
  if (cwd === undefined) return undefined;
  for (const folder of LAB_FOLDERS) {
    if (!(await files.exists(`${cwd}/${folder}/vmm.img`))) continue;
    return { ...lab(`${cwd}/${folder}`, `${cwd}/${folder.replace(/\/?images\/complete$/, '')}`), note: `Starting the lab in ${cwd}/${folder}.` };
  }
  const present = async (path: string): Promise<string[]> => ((await files.exists(`${cwd}/${path}`)) ? [`${cwd}/${path}`] : []);
  if ((await present(JOS.disk)).length === 0) return xv6(files, cwd, present);
  const programs = await Promise.all(
    JOS_PROGRAMS.map(async ([folder, world]) => {
      // Linked programs have no extension; beside them lie objects and listings.
      const names = (await files.list(`${cwd}/${folder}`)).filter((name) => !name.includes('.')).sort();
      return names.map((name) => ({ file: `${cwd}/${folder}/${name}`, world }));
    }),
  );
  const boot = await Promise.all(JOS_BOOT.map(async ({ file, world }) => (await present(file)).map((found) => ({ file: found, world }))));
  return {
    note: `Starting the JOS tree in ${cwd}.${(await present(JOS.fileSystem)).length === 0 ? ` There is no ${JOS.fileSystem}, so it has one disk only: make builds it.` : ''}`,
    boot: { kind: 'disk', disk: `${cwd}/${JOS.disk}` },
    drives: await present(JOS.fileSystem),
    e820: undefined,
    symbols: [...(await present(JOS.kernel)).map((file) => ({ file, world: undefined })), ...(await present(JOS.guest)).map((file) => ({ file, world: 'guest' as const }))],
    optionalSymbols: [...boot.flat(), ...programs.flat()],
    roots: [cwd],
    shipped: false,
  };
}

/** The images of an xv6 tree. */
async function xv6(files: FileSource, cwd: string, present: (path: string) => Promise<string[]>): Promise<LaunchTargets | undefined> {
  if ((await present(XV6.disk)).length === 0) return undefined;
  const kernel = (await Promise.all(XV6.kernels.map(present))).flat().slice(0, 1);
  const programs = (await files.list(cwd)).filter((name) => XV6.program.test(name)).sort();
  return {
    note: `Starting the xv6 tree in ${cwd}.`,
    boot: { kind: 'disk', disk: `${cwd}/${XV6.disk}` },
    drives: await present(XV6.fileSystem),
    e820: undefined,
    symbols: kernel.map((file) => ({ file, world: undefined })),
    optionalSymbols: [...(await present(XV6.boot)), ...programs.map((name) => `${cwd}/${name}`)].map((file) => ({ file, world: undefined })),
    roots: [cwd],
    shipped: false,
  };
}
