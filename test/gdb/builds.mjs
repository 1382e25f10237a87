// Backtrace and locals at random stops of builds/program.c, .cpp and .rs, built by each compiler in many ways: node test/gdb/builds.mjs [STOPS] [SEED].
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const [stops = '40', seed = '1'] = process.argv.slice(2);
const BUILDS = [
  ...['-O0', '-Og', '-O1', '-O2', '-O3', '-Os'].map((level) => `gcc -g ${level}`),
  ...['-gdwarf-2', '-gdwarf-3', '-gdwarf-4', '-gdwarf-5'].flatMap((version) => ['-O0', '-O2'].map((level) => `gcc ${version} ${level}`)),
  'gcc -g -O2 -gsplit-dwarf', 'gcc -gdwarf-4 -O2 -gsplit-dwarf', 'gcc -g -O2 -gz', 'gcc -g -O2 -flto', 'gcc -g -O2 -fdebug-types-section', 'gcc -g3 -O2 -fno-omit-frame-pointer', 'gcc -g -O2 -fno-asynchronous-unwind-tables', 'gcc -g -O2 -ffunction-sections', 'gcc -g -Og -fno-var-tracking',
  ...['-O0', '-Og', '-O2', '-Os'].flatMap((level) => ['-gdwarf-4', '-gdwarf-5'].map((version) => `clang ${version} ${level}`)),
  ...['-O0', '-Og', '-O2'].flatMap((level) => ['-gdwarf-4', '-gdwarf-5'].map((version) => `clang-16 ${version} ${level}`)),
  'gcc -g1 -O2', 'gcc -gdwarf-5 -gdwarf64 -O2', 'gcc -gdwarf-5 -gstrict-dwarf -O2', 'gcc -g -O0 -flto', 'gcc -gdwarf-4 -O0 -gsplit-dwarf -fdebug-types-section', 'clang -gdwarf64 -O2', 'clang -gdwarf-4 -O0 -gsplit-dwarf', 'clang -gdwarf-5 -O0 -fdebug-types-section', 'clang -gline-tables-only -O0',
  ...['-O0', '-Og', '-O2', '-Os'].map((level) => `g++ -g ${level}`), 'g++ -g -O0 -fdebug-types-section',
  // GDB 13 dies of programs of clang++ -O2.
  ...['-O0', '-Og'].flatMap((level) => ['-gdwarf-4', '-gdwarf-5'].map((version) => `clang++ ${version} ${level}`)),
  ...['0', '1', '2', '3', 's'].map((level) => `rustc -g -Copt-level=${level}`),
];

/** For one build: its comparison takes some ten seconds. */
const LONGEST_MS = 300_000;

let wrong = 0;
for (const build of BUILDS) {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--import', 'tsx', 'test/gdb/compare.ts', build, stops, seed], { cwd: ROOT, encoding: 'utf8', timeout: LONGEST_MS });
  if (status !== 0) {
    wrong++;
    process.stdout.write(`${build}: ${status === null ? 'did not come to an end' : 'disagrees'}\n${stdout}${stderr}`);
  } else console.log(stdout.trim().split('\n').at(-1));
}
console.log(`${BUILDS.length} builds; ${wrong} disagree.`);
process.exit(wrong === 0 ? 0 : 1);
