/** Expressions that are always compared, and where GDB and Hyperstep differ and why Hyperstep stays as it is. */

/** Behind ` /` stands a format. */
export const GIVEN: readonly string[] = [
  // Every variable, and parts of structs.
  'sc', 'uc', 'c', 's', 'us', 'i', 'u', 'l', 'ul', 'll', 'ull', 'yes', 'no', 'f', 'd', 'ld', 'c16', 'c32', 'wide', 'i128', 'u128', 'z', 'ci', 'vu', 'ai', 'colour', 'odd', 'rights', 'more', 'sign', 'huge', 'many', 'few',
  'bits', 'bits.low', 'bits.middle', 'bits.wide', 'bits.flag', 'bits.colour', 'bits.last', 'copy', 'outer', 'outer.in', 'outer.pointer', '*outer.pointer', 'outer.pointer->x', 'outer.as_int', 'outer.as_bytes', 'outer.as_float', 'outer.first', 'outer.second', 'outer.name', 'outer.next', '*outer.next', 'outer.next->next', 'outer.op', '*outer.op', 'last.in.y', 'empty', 'packed', 'packed.value', '&packed.value',
  '*flexible', 'flexible->count', 'flexible->values[0]', 'flexible->values[2]', 'sizeof(*flexible)', 'array', 'matrix', 'matrix[1]', 'rows', 'text', 'bytes', 'string', '*string', 'words', 'words[1]', '*words', 'pi', '*pi', 'ppi', '**ppi', 'pv', 'nothing', 'whole', '*whole', '(*whole)[1]', 'line', '*line', '(*line)[2]', 'doubles', 'op', '*op', 'operations', 'add', '&add', '*add', 'n', 'local', 'byte', 'variable', 'variable[2]', 'sizeof(variable)', 'kept',
  // Addresses, elements, pointer arithmetic.
  '&i', '&array', '&array[2]', '&outer.in', '&outer.in.y', '&outer.as_bytes[2]', '*&i', '&*pi', 'pi + 1', '1 + pi', 'pi - 1', '&array[4] - pi', 'pi == &array[1]', 'pi != 0', 'pi > array', '*array', '*(array + 2)', '2[array]', 'array[1 + 1]', '*matrix', '**matrix', '*matrix[1]', '*(matrix[1] + 1)', 'matrix[1] + 1', '&matrix[1]', '&matrix[1] - &matrix[0]', '(char *)&array[1] - (char *)array', '*pi@3', 'array[1]@2', 'string[2]', '&string[2]', 'string + 2', '*words@2', 'pv == &array[2]', 'pv', '*(int *)pv', '((int *)pv)[1]', '(long)pi', '(unsigned long)array', '(char)ul', '-pi[0]', '!nothing', '!pi', 'op == add', 'op == &add', 'op != subtract', 'operations[1] == outer.op',
  // Casts.
  '(unsigned char)i', '(signed char)u', '(short)u', '(unsigned)sc', '(int)uc', '(long)i', '(unsigned long)i', '(_Bool)i', '(_Bool)0', '(_Bool)d', '(char)66', '(enum colour)5', '(enum colour)6', '(int)d', '(int)f', '(unsigned char)ld', '0x1p4', '0x1.8p1 + d', '0x.8p0f', '0xap-3 * 2', '0x1.fffffffffffffp1023', '0x1p-1074', '(float)i', '(double)u', '(double)l', '(float)d', '(long double)i', '(int *)pv', '(struct inner *)&array', '*(struct inner *)&array', '((struct inner *)&array)->y', '*(unsigned char *)&l', '*(uint16_t *)&ul', '(uint8_t)us', '(int64_t)u', '(count)d', '(fixed)7', '(unsigned int)-1', '(unsigned long)-1', '(size_t)i', '*(float *)&outer.as_int', '(int (*)[5])pi', '*(int (*)[2])pi', '(char)i', '(const char *)text', '(char *)0', '(void *)0', '(void *)i', '(struct outer *)0', '&((struct outer *)0)->name', '(long)&((struct outer *)0)->next', '(operation)0', '(int (*)(int, int))0',
  // Sizes.
  'sizeof(int)', 'sizeof(struct outer)', 'sizeof(outer)', 'sizeof outer', 'sizeof array', 'sizeof(array)', 'sizeof(array[0])', 'sizeof(array) / sizeof(array[0])', 'sizeof(int *)', 'sizeof(text)', 'sizeof "abc"', 'sizeof(1 + 1L)', 'sizeof(char)', "sizeof('a')", 'sizeof(ld)', 'sizeof(row)', 'sizeof(struct empty)', 'sizeof(i128)', 'sizeof(int[3])', 'sizeof(*whole)', 'sizeof(sc + sc)',
  // Constants.
  "'a'", "'\\n'", "'\\\\'", "'\\x41'", "'\\101'", "'\\0'", "'\\377'", '0x10', '010', '10u', '10l', '10ul', '10ull', '2147483647', '2147483648', '4294967296', '0xffffffff', '0x100000000', '9223372036854775807', '9223372036854775808', '18446744073709551615', '0xffffffffffffffff', '1.5', '1.5f', '.5', '5.', '1e3', '1e-3', '1.0L', '"abc"', '"a" "b"', '"abc"[1]', '*"abc"',
  // Arithmetic, comparisons, shifts.
  'i + u', 'i < u', 'sc < uc', 'sc + uc', 'uc * uc', 'us * us', 's / 7', 's % 7', '-7 / 2', '-7 % 2', '7 / -2', 'u + u', 'u * 2', '-u', '~uc', '~u', '-uc', '!i', '!0', '!!i', 'i >> 1', 'u >> 1', 'sc >> 1', 'uc << 8', '1 << 31', '1u << 31', '1l << 40', 'l >> 3', 'ul >> 60', 'ul << 4', '-1 < 0u', '-1 < 1', '-1l < 0u', 'ul > -1', 'i == -7', 'i != u', 'll == ull', 'll < ull', 'i & 0xff', 'i | 8', 'i ^ i', 'ul & 0xff00', 'yes + yes', 'yes == 1', '!yes', 'no || i', 'i && 0', '1 ? i : u', '0 ? i : u', 'i < 0 ? -i : i', '(1, 2)', 'c == \'A\'', 'text[0] == \'h\'', 'c + 1', "'a' + 1", 'colour == BLUE', 'colour + 1', 'BLUE', 'BLUE + 1', 'RED', 'rights & WRITE', 'rights | WRITE', '(enum flags)(rights | WRITE)', 'sign < 0', 'sign < 0u', 'bits.low - 6', 'bits.low - 6 < 0', 'bits.middle < 0', 'bits.wide + 1', 'bits.wide << 24', 'bits.last * 2', '-bits.low', '~bits.low', 'i128 + 1', 'u128 >> 90', 'i128 < 0', 'i / 0', 'i % 0', 'd / 0', '-d / 0', '0.0 / 0', '2 + 3 * 4', '(2 + 3) * 4', '10 - 4 - 3', '100 / 10 / 2', '1 << 2 + 1', '5 & 3 == 3', '1 | 2 ^ 3 & 4', '- - 5', '-i * -i', '+sc', '~0', '~0u', '~0ul',
  // Floating point.
  'f + 1', 'f * d', 'd / 3', 'f / 3', '-d', 'f < d', 'd == -2.25', 'd < 0', '!d', 'd && f', 'f + ld', 'ld * 2', 'i * 0.5', 'u + 0.5', 'ul + 0.0', '1 / 2.0', '1 / 2', 'd ? 1 : 2', 'doubles[1]', 'doubles[1] * 10', 'doubles[0] + doubles[1]', '(int)(d * 100)', '0.1 + 0.2', '0.1f', '1e10', '1e300 * 1e10', 'f == 1.5', 'f > i',
  // Formats.
  'i /x', 'sc /x', 'uc /x', 'ul /x', 'u /d', 'uc /d', 'c /d', 'c /x', 'i /c', '65 /c', 'uc /c', 'array /x', 'matrix /x', 'text /x', 'text /s', 'bytes /d', 'bytes /s', 'bytes /x', 'outer.as_bytes /x', 'string /s', 'string /x', 'pi /x', 'pi /d', 'colour /d', 'colour /x', 'yes /d', 'yes /x', 'bits /x', 'bits.wide /x', 'bits.middle /x', 'outer.in /x', '-1 /x', '-1l /x', '(char)-1 /x', 'd /x', 'd /d', 'c16 /x', 'c32 /d', 'op /x', 'array /c', 'l /d', 'words[0] /s', '(char)65 /c', 'i128 /x',
];

interface Explanation {
  /** Expressions that it is about; all when it is absent. */
  expression?: RegExp;
  /** What differs. */
  difference: RegExp;
  why: string;
}

const EXPLANATIONS: readonly Explanation[] = [
  { expression: /sizeof/, difference: /^gdb's type (unsigned )?(int|long), ours unsigned long$/, why: 'sizeof is a size_t, unsigned long: GDB makes it an int.' },
  { expression: /^'[^']+'$|sizeof.*'/, difference: /^gdb's type (char|int), ours (int|unsigned long)$|^gdb -?\d/, why: 'A character constant is an int in C; GDB makes it a char.' },
  { difference: /^gdb's type (unsigned )?(long )?long, ours (unsigned )?long$|^gdb's type (unsigned )?long long, ours (unsigned )?long$/, why: 'long long has the size of long, and Hyperstep calls both long.' },
  { expression: /yes|no\b|flag|_Bool/, difference: /gdb says "Invalid operation on booleans\."/, why: 'C computes with _Bool as with int; GDB refuses.' },
  { expression: /128/, difference: /gdb says "That operation is not available on integers of more than 8 bytes\."/, why: 'GDB 13 computes with no more than 64 bits.' },
  { expression: /bits\.(low|middle|last|flag|colour)/, difference: /^gdb(?! says)/, why: 'A bit-field that int has room for is an int in C\'s arithmetic, as gcc computes it; GDB computes with its declared type.' },
  { expression: /enum colour|colour|rights|sign/, difference: /^gdb's type enum|^gdb (RED|GREEN|BLUE|MINUS|PLUS|\(READ.*\)), ours -?\d/, why: 'Arithmetic with an enumeration yields an integer in C; GDB keeps the enumeration.' },
  { expression: / \/d$/, difference: /^gdb -?\d+, ours \d+|^gdb \{/, why: '/d is signed for GDB; Hyperstep\'s "d" means decimal, by the type\'s own sign, and text stays text.' },
  { expression: /^text \/x$/, difference: /ours "/, why: 'Text of char stays text; its elements are shown in hexadecimal.' },
  { expression: / \/s$/, difference: /^gdb 0x[0-9a-f]+ (".*"), ours \1$/, why: '"s" shows the text alone; GDB puts its address in front.' },
  { expression: /^string \/x$/, difference: /ours 0x[0-9a-f]+ "a string"$/, why: 'A pointer to text is shown with it in all formats.' },
  { expression: /^d \/[xd]$/, difference: /ours -2\.25$/, why: 'Floating point has no other format; GDB takes its bytes for an integer.' },
  { expression: / \/c$/, difference: /^gdb (-?\d+) ('.*'), ours \2$|^gdb \{10 /, why: '"c" shows the character alone, of numbers and not of arrays.' },
  { expression: /^bits(\.middle)? \/x$/, difference: /0xfffffff7/, why: 'A bit-field is shown with its own width; GDB extends its sign to that of int.' },
  { expression: / \/[xd]$/, difference: /^gdb (\w+), ours [A-Z_| ]+ \(\1\)$/, why: 'The number of an enumeration\'s value stands behind its name.' },
  { difference: /gdb says "Cannot access memory at address (0x[0-9a-f]+)", ours <cannot read memory at \1>/, why: 'The same in other words.' },
  { expression: /^outer\.as_bytes$|^bytes$|^\*?outer(\.next)?$|^\*?outer\.next|^bytes \/s$/, difference: /ours .*("|\.\.\.)/, why: 'Text ends with its first zero byte, and a long line is cut: its parts are children.' },
  { expression: /^(op|outer\.op|operations|\*op|\*outer\.op|&?\*?add)( |$)/, difference: /ours/, why: 'A function is shown with its type in C\'s notation and its name.' },
];

/** Why a difference is none to mend; undefined for one that nobody has explained. */
export const explanationOf = (expression: string, difference: string): string | undefined => EXPLANATIONS.find((e) => (e.expression === undefined || e.expression.test(expression)) && e.difference.test(difference))?.why;
