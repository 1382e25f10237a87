/** Launch configurations: what is accepted, and the one sentence for each thing that is wrong. */
import assert from 'node:assert';
import { UserError } from '../../src/base/errors';
import type { FileSource } from '../../src/base/files';
import { readConfiguration } from '../../src/adapter/launch/configuration';
import { checkBootDisk, checkElf } from '../../src/adapter/launch/imageCheck';
import { otherBuilds } from '../../src/adapter/launch/otherBuilds';
import { parseMemorySize } from '../../src/adapter/launch/memorySize';
import { folderOf, resolvePath } from '../../src/adapter/launch/paths';
import { findTargets } from '../../src/adapter/launch/targets';

const sentence = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    assert(error instanceof UserError, String(error));
    return error.message;
  }
  throw new Error('nothing was wrong');
};

/** `contents` are of the files that may be read. */
const filesOf = (paths: string[], contents: Record<string, Uint8Array> = {}): FileSource => ({
  exists: (path) => Promise.resolve(paths.includes(path)),
  list: (folder) => Promise.resolve(paths.filter((p) => folderOf(p) === folder).map((p) => p.slice(folder.length + 1))),
  size: (path) => (contents[path] ? Promise.resolve(contents[path].length) : Promise.reject(new Error('not asked for'))),
  modified: () => Promise.resolve(undefined),
  read: (path) => (contents[path] ? Promise.resolve(contents[path]) : Promise.reject(new Error('not asked for'))),
  write: () => Promise.reject(new Error('not asked for')),
});

describe('launch configuration', () => {
  it('fills in defaults', () => {
    const c = readConfiguration({ type: 'hyperstep', request: 'launch', name: 'x', __sessionId: '1' });
    assert.strictEqual(c.machine.memory, 512 * 2 ** 20);
    assert.strictEqual(c.boot, undefined);
    assert.strictEqual(c.stopAt, 'source');
  });

  const WRONG: [string, object, RegExp][] = [
    ['an unknown key', { machine: { memroy: '1G' } }, /^"machine\.memroy" is not a key of the launch configuration: did you mean "machine\.memory"\?$/],
    ['an unknown key unlike any', { zzz: 1 }, /^"zzz" is not a key of the launch configuration\. The keys are "machine", "boot"/],
    ['several unknown keys, and the list once', { zzz: 1, yyy: 2 }, /^"zzz" is not a key of the launch configuration\. "yyy" is not a key of the launch configuration\. The keys are [^.]*\.$/],
    ["another debugger's key", { program: 'kernel' }, /^"program" is not a key of the launch configuration: what the machine starts is "boot": \{ "disk": "file" \}/],
    ['a text for boot', { boot: 'a.img' }, /^"boot" is a text, but says how to start too: write \{ "disk": "a\.img" \}/],
    ['memory in bytes that was meant in mebibytes', { machine: { memory: '512' } }, /^"machine\.memory" is "512", but the machine needs 2M at least: did you mean "512M"\?$/],
    ['memory of nothing', { machine: { memory: 0 } }, /^"machine\.memory" is 0, but the machine needs 2M at least/],
    ['memory of a petabyte', { machine: { memory: '1P' } }, /^"machine\.memory" is "1P", but the machine can have 1T at most/],
    ['memory in words', { machine: { memory: 'lots' } }, /which is not a size: write a number with K, M, G or T/],
    ['two boots', { boot: { disk: 'a', multiboot: 'b' } }, /^"boot" has both "disk" and "multiboot"/],
    ['a misspelt boot', { boot: { dsik: 'a' } }, /^"boot\.dsik" is not a key of the launch configuration: did you mean "boot\.disk"\?$/],
    ['an empty boot', { boot: {} }, /^"boot" says nothing to start from/],
    ['two kernels', { boot: { kernel: 'vmlinuz', multiboot: 'b' } }, /^"boot" has both "multiboot" and "kernel"/],
    ['a wrong key beside a Linux kernel', { boot: { kernel: 'vmlinuz', initramfs: 'b' } }, /^"boot\.initramfs" is not a key/],
    ['a text instead of a list', { drives: 'fs.img' }, /^"drives" is "fs\.img", but must be a list: \["fs\.img"\]\.$/],
    ['a world that does not exist', { symbols: [{ file: 'a', world: 'gest' }] }, /^"symbols\[0\]\.world" is "gest", which is unknown: did you mean "guest"\?$/],
    ['symbols without a file', { symbols: [{ world: 'guest' }] }, /^"symbols\[0\]" needs the key "file"/],
    ['a place to stop that does not exist', { vmexit: { stopAt: 'here' } }, /^"vmexit\.stopAt" is "here", but must be one of "source", "exit"/],
    ['firmware that is no file', { machine: { firmware: 4 } }, /^"machine\.firmware" is 4, but must be a list/],
    ['a number for a switch', { stopOnEntry: 1 }, /^"stopOnEntry" is 1, but must be true or false/],
  ];
  for (const [what, value, pattern] of WRONG) it(`tells of ${what}`, () => assert.match(sentence(() => readConfiguration(value)), pattern));

  it('tells of every wrong key, not of the first alone', () => {
    assert.match(sentence(() => readConfiguration({ machine: { memory: '0' }, drives: 1 })), /machine\.memory.*drives/s);
  });

  const exits = (...breakOnExit: unknown[]) => readConfiguration({ breakOnExit }).breakOnExit;
  const wrongExit = (entry: unknown): string => sentence(() => exits(entry));

  it('tells of a wrong entry of breakOnExit beside other wrong keys and values, of each its own', () => {
    const told = sentence(() => readConfiguration({ breakOnExit: ['CPUDI', 'HLT if', { exit: 'HTL', hitCount: '% 0' }], machine: { cpu: { without: ['etp'] } }, vmxChecks: ['exit-strom', 'nonsense-check'], stopOnEntry: 1 }));
    for (const part of [/"breakOnExit\[0\]" is "CPUDI", which is no VM exit: did you mean "CPUID"\?/, /"breakOnExit\[1\]" is "HLT if"/, /"breakOnExit\[2\]\.exit" is "HTL".*did you mean "HLT"\?/, /"breakOnExit\[2\]\.hitCount": "% 0" is not a hit condition/, /"machine\.cpu\.without\[0\]": .*no feature "etp"/, /did you mean "exit-storm"\?/, /"nonsense-check", which is no check/, /"stopOnEntry" is 1/]) assert.match(told, part);
  });

  it('names the nearest VM exit', () => {
    assert.deepStrictEqual(exits('cpuid if leaf == 1'), [{ name: 'CPUID', condition: 'leaf == 1' }]);
    assert.strictEqual(exits('any')[0]!.name, undefined);
    assert.match(wrongExit('CPUIT'), /did you mean "CPUID"/);
    assert.match(wrongExit(7), /"breakOnExit\[0\]" is 7, but must be the name of a VM exit, or an object/);
  });

  it('says where a condition on a VM exit belongs', () => {
    assert.match(wrongExit('CPUID leaf == 1'), /write a condition behind "if": "CPUID if leaf == 1"\.$/);
    assert.match(wrongExit('CPUID if'), /a condition belongs behind "if"/);
    assert.match(wrongExit('CPUID if leaf =='), /"breakOnExit\[0\]" has a wrong condition: The expression ends/);
    assert.match(wrongExit({ exit: 'CPUID', condition: 'leaf = 1' }), /"breakOnExit\[0\]\.condition" has a wrong condition: A condition must not change/);
  });

  it('reads messages to print at VM exits', () => {
    assert.deepStrictEqual(exits('CPUID log: leaf {leaf}', 'entry if launch log: entry', { exit: 'hlt', condition: 'n > 2', hitCount: 3, log: 'halted' }), [
      { name: 'CPUID', condition: 'log: leaf {leaf}' },
      { event: 'entry', condition: 'launch log: entry' },
      { name: 'HLT', condition: 'n > 2', hitCondition: '3', log: 'halted' },
    ]);
  });

  it('says how a message to print at VM exits is written', () => {
    assert.match(wrongExit('CPUID log leaf {leaf}'), /write a message behind "log:": "CPUID log: leaf \{leaf\}"\.$/);
    assert.match(wrongExit('CPUID if leaf == 1 log leaf'), /A message to print stands behind "log:"\.$/);
    assert.match(wrongExit('CPUID if leaf == 1 log:'), /"log:" needs a message behind it/);
    assert.match(wrongExit({ exit: 'CPUID', logMessage: 'x' }), /"breakOnExit\[0\]\.logMessage" is not a key of the launch configuration: it is called "log"\.$/);
    assert.match(wrongExit({ exit: 'CPUID', condition: 'leaf == 1 log: x' }), /"breakOnExit\[0\]\.condition" has a message: it belongs into the key "log"\.$/);
    assert.match(wrongExit({ exit: 'CPUID if leaf == 1' }), /but holds a name alone: condition and message are the keys "condition" and "log"\.$/);
    assert.match(wrongExit('CPUID, HLT'), /each is an entry of its own: "CPUID", "HLT"\.$/);
    assert.match(wrongExit({ log: 'x' }), /"breakOnExit\[0\]" needs the key "exit"/);
  });

  it('reads sizes of memory', () => {
    assert.strictEqual(parseMemorySize('m', '64M'), 64 * 2 ** 20);
    assert.strictEqual(parseMemorySize('m', '2GiB'), 2 ** 31);
    assert.strictEqual(parseMemorySize('m', 4194304), 4194304);
  });
});

describe('images', () => {
  const elf = (machine: number, bytes = 64): Uint8Array => {
    const b = new Uint8Array(bytes);
    b.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
    new DataView(b.buffer).setUint16(18, machine, true);
    return b;
  };

  it('an ELF of another machine is named', () => assert.match(sentence(() => checkElf('kernel', elf(183))), /^kernel is an ELF file for 64-bit ARM, but the machine is x86-64/));
  it('an ELF that is cut short is named', () => {
    const b = elf(62);
    new DataView(b.buffer).setBigUint64(32, 64n, true);
    new DataView(b.buffer).setUint16(54, 56, true);
    new DataView(b.buffer).setUint16(56, 1, true);
    assert.match(sentence(() => checkElf('kernel', b)), /^kernel is truncated/);
    assert.match(sentence(() => checkElf('kernel', elf(62).subarray(0, 20))), /^kernel is truncated/);
  });
  it('a disk without a boot signature is named', () => assert.match(sentence(() => checkBootDisk('disk.img', new Uint8Array(1024))), /^disk\.img has no boot signature/));
  it('a disk that is cut short is named', () => assert.match(sentence(() => checkBootDisk('disk.img', new Uint8Array(100))), /^disk\.img is truncated/));
  it('a kernel behind the boot sector must be whole', () => {
    const disk = new Uint8Array(512 + 64);
    disk.set([0x55, 0xaa], 510);
    disk.set(elf(62), 512);
    new DataView(disk.buffer).setUint16(512 + 56, 3, true);
    new DataView(disk.buffer).setUint16(512 + 54, 56, true);
    assert.match(sentence(() => checkBootDisk('kernel.img', disk)), /^kernel\.img is truncated: the kernel behind its boot sector/);
  });
  it('an image made by objcopy, which lacks the ELF\'s headers, is of the same build', async () => {
    const kernel = new Uint8Array(0x1000 + 0x800);
    kernel.set(elf(62));
    const data = new DataView(kernel.buffer);
    data.setBigUint64(32, 64n, true); // one program header: a segment from the file's first byte on
    data.setUint16(54, 56, true);
    data.setUint16(56, 1, true);
    data.setUint32(64, 1, true);
    data.setBigUint64(64 + 32, BigInt(kernel.length), true);
    for (let i = 0x1000; i < kernel.length; i++) kernel[i] = (i * 7 + (i >> 5)) & 0xff;
    const told = (bytes: Uint8Array): Promise<string[]> => otherBuilds(filesOf([], { '/w/kernel.elf': kernel }), { drives: [{ name: '/w/disk.img', bytes }], boot: { kind: 'disk' } }, [{ path: '/w/kernel.elf', world: undefined }], ['/w']);
    const disk = new Uint8Array(0x2000);
    disk.set(kernel.subarray(0x1000), 512);
    assert.deepStrictEqual(await told(disk), []);
    disk.fill(0xcc, 0x500, 0x540);
    assert.match((await told(disk)).join(), /^disk\.img holds another build than kernel\.elf/);
  });
  it('an ELF in place of a disk is named', () => assert.match(sentence(() => checkBootDisk('kernel', elf(62, 512))), /^kernel is an ELF file, not a disk image/));
});

describe('an image in a folder that is no tree', () => {
  const boots = Uint8Array.from({ length: 1024 }, (_, i) => (i === 510 ? 0x55 : i === 511 ? 0xaa : 0));
  const kernel = new Uint8Array(256);
  kernel.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  kernel.set([0x02, 0xb0, 0xad, 0x1b, 0, 0, 0, 0, 0xfe, 0x4f, 0x52, 0xe4], 64); // a multiboot header without flags
  const started = (contents: Record<string, Uint8Array>) => findTargets(readConfiguration({}), filesOf(Object.keys(contents), contents), '/package', '/w');

  it('the one disk with a boot sector is started, with the symbols beside it', async () => {
    const { boot, note, unexpected, optionalSymbols } = await started({ '/w/kernel.img': boots, '/w/fs.img': new Uint8Array(1024), '/w/kernel.elf': new Uint8Array(8), '/w/main.c': new Uint8Array(8) });
    assert.deepStrictEqual(boot, { kind: 'disk', disk: '/w/kernel.img' });
    assert.deepStrictEqual([note, unexpected], ['Starting kernel.img, the only disk image with a boot sector in the folder; "boot" in a launch configuration names another.', undefined]);
    assert.deepStrictEqual(optionalSymbols, [{ file: '/w/kernel.elf', world: undefined }]);
  });
  it('a disk or a CD rather than the kernel that it is made of', async () => {
    assert.strictEqual((await started({ '/w/os.iso': boots, '/w/kernel.elf': kernel, '/w/kernel.img': boots })).boot.kind, 'disk');
    assert.deepStrictEqual((await started({ '/w/os.iso': boots, '/w/kernel.elf': kernel })).boot, { kind: 'cdrom', cdrom: '/w/os.iso' });
  });
  it('a multiboot kernel, with its symbols', async () => {
    const { boot, optionalSymbols } = await started({ '/w/kernel.elf': kernel, '/w/README.md': boots });
    assert.deepStrictEqual(boot, { kind: 'kernel', kernel: '/w/kernel.elf', initrd: undefined, append: '', entry: undefined });
    assert.deepStrictEqual(optionalSymbols, [{ file: '/w/kernel.elf', world: undefined }]);
  });
  it('of several as good none is taken', () =>
    assert.rejects(started({ '/w/a.img': boots, '/w/b.img': boots }), /^UserError: The folder has 2 images that could be started \(a\.img, b\.img\): name one in the launch configuration, as in "boot": \{ "disk": "a\.img" \}\.$/));
  it('none leaves the built-in lab, and says so', async () => {
    const { boot, unexpected } = await started({ '/w/logo.img': new Uint8Array(1024), '/w/notes.txt': boots });
    assert.deepStrictEqual([boot, unexpected], [{ kind: 'disk', disk: '/package/lab/images/complete/vmm.img' }, true]);
  });
});

describe('what to start', () => {
  const started = (paths: string[], value: object = {}, cwd: string | undefined = '/w') => findTargets(readConfiguration(value), filesOf(paths), '/package', cwd);

  it('a JOS tree in the folder, with the symbols of both kernels and the programs', async () => {
    const t = await started(['/w/obj/kern/kernel.img', '/w/obj/kern/kernel', '/w/obj/fs/fs.img', '/w/vmm/guest/obj/kern/kernel', '/w/obj/user/hello', '/w/obj/user/hello.asm', '/w/vmm/guest/obj/user/sh']);
    assert.deepStrictEqual(t.boot, { kind: 'disk', disk: '/w/obj/kern/kernel.img' });
    assert.deepStrictEqual(t.drives, ['/w/obj/fs/fs.img']);
    assert.deepStrictEqual(t.symbols, [{ file: '/w/obj/kern/kernel', world: undefined }, { file: '/w/vmm/guest/obj/kern/kernel', world: 'guest' }]);
    assert.deepStrictEqual(t.optionalSymbols, [{ file: '/w/obj/user/hello', world: undefined }, { file: '/w/vmm/guest/obj/user/sh', world: 'guest' }]);
  });
  it('the boot sectors of a JOS tree, with symbols', async () => {
    const t = await started(['/w/obj/kern/kernel.img', '/w/obj/boot/boot', '/w/obj/boot/boot.out', '/w/vmm/guest/obj/boot/boot.out']);
    assert.deepStrictEqual(t.optionalSymbols, [{ file: '/w/obj/boot/boot.out', world: undefined }, { file: '/w/vmm/guest/obj/boot/boot.out', world: 'guest' }]);
  });
  it('firmware alone, with a disk, and with a UEFI application, whatever is in the folder', async () => {
    const machine = { firmware: 'OVMF.fd' };
    const tree = ['/w/obj/kern/kernel.img', '/w/obj/fs/fs.img'];
    const alone = await started(tree, { machine });
    assert.deepStrictEqual([alone.firmware, alone.boot, alone.drives, alone.symbols], [['/w/OVMF.fd'], { kind: 'firmware' }, [], []]);
    assert.deepStrictEqual((await started(tree, { machine, boot: { disk: 'obj/kern/kernel.img' } })).drives, []);
    const application = await started([], { machine: { firmware: ['CODE.fd', '/o/VARS.fd'] }, boot: { kernel: 'a.efi' } });
    assert.deepStrictEqual([application.firmware, application.boot], [['/w/CODE.fd', '/o/VARS.fd'], { kind: 'kernel', kernel: '/w/a.efi', initrd: undefined, append: '', entry: undefined }]);
  });
  it('not a multiboot kernel by firmware', () => assert.rejects(started([], { machine: { firmware: 'OVMF.fd' }, boot: { multiboot: 'k' } }), /"machine\.firmware" starts disks, CDs, and by "boot\.kernel" .*; leave it out for "boot\.multiboot"\.$/));
  it('a JOS tree without its file system, and says so', async () => assert.match((await started(['/w/obj/kern/kernel.img'])).note!, /no obj\/fs\/fs\.img, so it has one disk only: make builds it/));
  it('not the lab in place of a JOS tree that has not been built', () =>
    assert.rejects(started(['/w/kern/Makefrag', '/w/boot/Makefrag', '/w/vmm/vmx.c']), /\/w holds a JOS tree that has not been built: there is no obj\/kern\/kernel\.img\. Run make first/));
  it('says to run make where the disk is missing beside a makefile', () => assert.rejects(started(['/w/GNUmakefile'], { boot: { disk: 'obj/k.img' } }), { code: 'not-built', message: '/w/obj/k.img does not exist: run make first, or check the path.' }));
  it("a tree's own disk brings along what is not mentioned", async () => {
    const tree = ['/w/obj/kern/kernel.img', '/w/obj/kern/kernel', '/w/obj/fs/fs.img'];
    const boot = { disk: 'obj/kern/kernel.img' };
    const t = await started(tree, { boot });
    assert.deepStrictEqual([t.drives, t.symbols.map((s) => s.file)], [['/w/obj/fs/fs.img'], ['/w/obj/kern/kernel']]);
    assert.match(t.note!, /^"drives" and "symbols" are not given: taken from the tree in \/w\.$/);
    assert.deepStrictEqual((await started(tree, { boot, drives: [] })).drives, []);
    assert.deepStrictEqual((await started(tree, { boot, symbols: [] })).symbols, []);
    assert.deepStrictEqual((await started([...tree, '/w/other.img'], { boot: { disk: 'other.img' } })).symbols, []);
  });
  it('an xv6 tree in the folder', async () => {
    const t = await started(['/w/xv6.img', '/w/fs.img', '/w/kernel', '/w/kernel.asm', '/w/bootblock.o', '/w/_sh', '/w/_cat', '/w/sh.c']);
    assert.deepStrictEqual([t.boot, t.drives, t.symbols], [{ kind: 'disk', disk: '/w/xv6.img' }, ['/w/fs.img'], [{ file: '/w/kernel', world: undefined }]]);
    assert.deepStrictEqual(t.optionalSymbols.map((s) => s.file), ['/w/bootblock.o', '/w/_cat', '/w/_sh']);
  });
  it('the lab in the folder', async () => assert.deepStrictEqual((await started(['/w/images/complete/vmm.img'])).boot, { kind: 'disk', disk: '/w/images/complete/vmm.img' }));
  it('the built-in lab, and says so', async () => {
    const t = await started([]);
    assert.deepStrictEqual(t.boot, { kind: 'disk', disk: '/package/lab/images/complete/vmm.img' });
    assert.match(t.note!, /built-in lab/);
  });
  it('what is written, from the folder on', async () => {
    const t = await started([], { boot: { disk: 'a/b.img' }, drives: ['../c.img'], symbols: ['k'] });
    assert.deepStrictEqual([t.boot, t.drives, t.symbols[0]!.file], [{ kind: 'disk', disk: '/w/a/b.img' }, ['/c.img'], '/w/k']);
  });
  it('symbols of every program in a folder', async () => {
    const t = await started(['/w/bin/vmm', '/w/bin/vmm.c', '/w/bin/guest.elf', '/w/bin/vmm.asm', '/w/bin/.hidden', '/w/k'], { boot: { disk: 'b' }, symbols: ['k', { file: 'bin/', world: 'guest' }] });
    assert.deepStrictEqual(t.symbols, [{ file: '/w/k', world: undefined }]);
    assert.deepStrictEqual(t.optionalSymbols, [{ file: '/w/bin/guest.elf', world: 'guest' }, { file: '/w/bin/vmm', world: 'guest' }]);
    assert.deepStrictEqual(t.roots, ['/w', '/w/bin']);
  });
  it('symbols by a pattern', async () => {
    // The folders in between are names in their folders, as a host lists them.
    const paths = ['/w/obj/a', '/w/obj/b.elf', '/w/obj/user/c.elf', '/w/obj/user/c.c', '/w/obj/user/deep/d.elf'];
    const files: FileSource = { ...filesOf(paths), list: (folder) => Promise.resolve([...new Set(paths.filter((p) => p.startsWith(`${folder}/`)).map((p) => p.slice(folder.length + 1).split('/')[0]!))]) };
    const found = async (pattern: string) => (await findTargets(readConfiguration({ boot: { disk: 'b' }, symbols: [pattern] }), files, '/package', '/w')).optionalSymbols.map((s) => s.file);
    assert.deepStrictEqual(await found('obj/*.elf'), ['/w/obj/b.elf']);
    assert.deepStrictEqual(await found('obj/**/*.elf'), ['/w/obj/b.elf', '/w/obj/user/c.elf', '/w/obj/user/deep/d.elf']);
    assert.deepStrictEqual(await found('obj/user/?*'), ['/w/obj/user/c.elf']);
    assert.deepStrictEqual(await found('obj/*/*'), ['/w/obj/user/c.elf']);
    await assert.rejects(found('obj/*.axf'), /^UserError: "symbols" has the pattern \/w\/obj\/\*\.axf, which no file matches/);
  });
  it('a folder without programs is told', () => assert.rejects(started(['/w/src/a.c'], { boot: { disk: 'b' }, symbols: ['src'] }), /names the folder \/w\/src, which holds no linked programs: .* or write src\/\*\*\/\*\./));
  it('relative paths need a folder', async () => assert.rejects(findTargets(readConfiguration({ boot: { disk: 'b.img' } }), filesOf([]), '/package', undefined), /b\.img is a relative path and no folder is open/));

  it('paths of Windows and URIs', () => {
    assert.strictEqual(resolvePath('C:\\w', 'a\\..\\b.img'), 'C:/w/b.img');
    assert.strictEqual(resolvePath('vscode-remote://host/w', '../b'), 'vscode-remote://host/b');
    assert.strictEqual(resolvePath('/w', '/x/./y'), '/x/y');
  });
});
