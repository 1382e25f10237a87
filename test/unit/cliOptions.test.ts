import assert from 'node:assert/strict';
import { UserError } from '../../src/base/errors';
import { parseDapOptions } from '../../src/cli/dapCommand';
import { helpOf } from '../../src/cli/help';
import { parseRunOptions, runOptionsHelp } from '../../src/cli/runOptions';
import { unescape } from '../../src/cli/unescape';

/** The sentence that words are refused with. */
function refusal(...words: string[]): string {
  try {
    parseRunOptions(words);
  } catch (error) {
    assert(error instanceof UserError, String(error));
    return error.message;
  }
  assert.fail(`${words.join(' ')} is not refused`);
}

describe('options of hyperstep run', () => {
  it('with no words mean the complete lab on a PC of 512 MiB', () => {
    const options = parseRunOptions([]);
    assert.equal(options.lab, 'complete');
    assert.equal(options.memory, 512 * 2 ** 20);
    assert.equal(options.cpus, 1);
    assert.deepEqual(options.disks, []);
  });

  it('survive JSON', () => {
    const options = parseRunOptions(['--disk', 'a.img', '--symbols', 'guest:k.elf', '--without', 'ept,vmx', '--timeout', '2.5']);
    assert.deepEqual(JSON.parse(JSON.stringify(options)), JSON.parse(JSON.stringify({ ...options })));
    assert.deepEqual(options.symbols, [{ file: 'k.elf', world: 'guest' }]);
    assert.deepEqual(options.without, ['ept', 'vmx']);
    assert.equal(options.timeout, 2.5);
  });

  it('keep --expect and --type in their order, with escapes', () => {
    assert.deepEqual(parseRunOptions(['--expect', 'vm$', '--type', 'ls\\r', '--expect=motd']).script, [
      { kind: 'expect', text: 'vm$' },
      { kind: 'type', text: 'ls\r' },
      { kind: 'expect', text: 'motd' },
    ]);
  });

  it('take names of exit reasons in any case, several at once', () => {
    assert.deepEqual(parseRunOptions(['--break-on-exit', 'cpuid,EPT_VIOLATION']).breakOnExit, ['CPUID', 'EPT_VIOLATION']);
  });

  for (const [words, sentence] of [
    [['--dsk', 'a'], /There is no option --dsk; did you mean --disk\?$/],
    [['--zzzzzz'], /There is no option --zzzzzz; hyperstep --help lists all/],
    [['kernel.img'], /kernel\.img is not an option: name a disk image by --disk kernel\.img\.$/],
    [['--disk'], /--disk needs FILE behind it\.$/],
    [['--summary=yes'], /--summary takes no value\.$/],
    [['--memory', '0'], /"--memory" is "0", but the machine needs/],
    [['--memory', '1P'], /"--memory" is "1P", but the machine can have/],
    [['--memory', 'lots'], /"--memory" is "lots", which is not a size/],
    [['--cpus', '0'], /--cpus is "0", but must be a whole number above 0\.$/],
    [['--cpus', '9'], /--cpus is 9, but the machine can have 8/],
    [['--timeout', 'soon'], /--timeout is "soon"/],
    [['--max-instructions', '1.5'], /--max-instructions is "1\.5", but must be a whole number/],
    [['--no-check', 'exitstorm'], /there is no VMX check of that name; did you mean exit-storm\?$/],
    [['--break-on-exit', 'CPUD'], /there is no VM-exit reason of that name; did you mean CPUID\?$/],
    [['--initrd', 'x'], /--initrd belongs to a kernel: give that by --kernel/],
    [['--kernel', 'vmlinuz', '--multiboot', 'x'], /--multiboot and --kernel are both there/],
    [['--kernel', 'vmlinuz', '--module', 'x'], /--module belongs to a multiboot kernel/],
    [['--cdrom', 'x.iso', '--lab', 'disk'], /none of --disk, --floppy, --cdrom/],
    [['--virtio', 'a', '--virtio', 'b', '--virtio', 'c', '--virtio', 'd', '--virtio', 'e'], /5 virtio drives/],
    [['--append', 'x'], /--append is the command line of a kernel: give that by --kernel or --multiboot/],
    [['--firmware', 'OVMF.fd', '--e820', 'x'], /--e820 is for Hyperstep's own BIOS, so it does not go with --firmware\.$/],
    [['--firmware', 'OVMF.fd', '--lab', 'disk'], /--lab is for Hyperstep's own BIOS/],
    [['--lab', 'done'], /the lab's states are reason, cpuid, disk, complete\.$/],
    [['--lab', 'cpuid', '--disk', 'a'], /--lab runs the built-in lab/],
    [['--expect', ''], /--expect has an empty text\.$/],
    [['--type', 'a\\q'], /\\q in "a\\\\q" means nothing/],
  ] as const) {
    it(`refuse ${words.join(' ')} with one sentence`, () => {
      const message = refusal(...words);
      assert.match(message, sentence);
      assert(!message.includes('\n'));
    });
  }

  it('are all in the help', () => {
    for (const name of ['--disk', '--multiboot', '--expect', '--exits FILE', '--break-on-exit NAME']) assert(runOptionsHelp().includes(name), name);
  });

  it('are listed by command, those of GDB without what only a run can do', () => {
    assert.match(helpOf('run'), /^The machine:\n {2}--memory SIZE/m);
    assert.match(helpOf('gdb'), /--port N[^]*--break-on-exit NAME +stops[^]*--disk FILE[^]*What it tells:\n {2}--no-check ID/);
    assert.doesNotMatch(helpOf('gdb'), /--expect|The console/);
    assert.match(helpOf('dap'), /^Usage: hyperstep dap \[--port N\]\n/);
    assert.match(helpOf('lab'), /--state NAME/);
    assert.match(helpOf(undefined), /hyperstep COMMAND --help/);
  });
});

describe('escapes of the command line', () => {
  it('stand for control characters', () => assert.equal(unescape('a\\r\\n\\x1b[A\\\\'), 'a\r\n\x1b[A\\'));
  it('do not end in the middle', () => assert.throws(() => unescape('a\\'), UserError));
});

describe('options of hyperstep dap', () => {
  it('are a port or nothing', () => {
    assert.equal(parseDapOptions([]), undefined);
    assert.equal(parseDapOptions(['--port', '4711']), 4711);
    assert.equal(parseDapOptions(['--port=0']), 0);
  });
  for (const words of [['--port'], ['--port', '70000'], ['--port', 'x'], ['--prt', '1'], ['--port', '1', 'more']]) {
    it(`refuse ${words.join(' ')}`, () => assert.throws(() => parseDapOptions(words), UserError));
  }
});
