/** Calls of function-like macros in an expression, replaced as C's preprocessor does: C11, "Macro replacement". */

/** What a macro stands for. */
export interface MacroText {
  readonly text: string;
  /** Of a function-like one; the last may be `...`. */
  readonly parameters?: readonly string[] | undefined;
}

const NAME = /[A-Za-z_]\w*/y;
const TEXT = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/y;
/** A name behind these is a member or a register, no macro. */
const NO_MACRO_BEHIND = /(?:\.|->|\$)\s*$/;
/** An expression that macros make longer than this has gone wrong. */
const LONGEST = 20_000;

/** Splits `NAME text` and `NAME(parameters) text`, as a definition stands in debug information and behind `#define`. */
export function parseDefinition(definition: string): { name: string; macro: MacroText } | undefined {
  const match = /^([A-Za-z_]\w*)(?:\(([^)]*)\)\s*|\s+|$)([^]*)$/.exec(definition);
  if (!match) return undefined;
  const [, name, list, text] = match;
  const parameters = list === undefined ? undefined : list.split(',').map((p) => p.trim()).filter((p) => p !== '');
  return { name: name!, macro: { text: text!.trim(), ...(parameters ? { parameters } : {}) } };
}

/** The arguments from the opening parenthesis at `open` on, and where they end; undefined when it is never closed. */
function argumentsAt(input: string, open: number): { list: string[]; end: number } | undefined {
  const list: string[] = [];
  let depth = 0;
  let from = open + 1;
  for (let at = open; at < input.length; at++) {
    TEXT.lastIndex = at;
    const text = TEXT.exec(input);
    if (text) {
      at += text[0].length - 1;
      continue;
    }
    const c = input[at];
    if (c === '(') depth++;
    else if (c === ')' && --depth === 0) {
      const last = input.slice(from, at).trim();
      if (list.length > 0 || last !== '') list.push(last);
      return { list, end: at + 1 };
    } else if (c === ',' && depth === 1) {
      list.push(input.slice(from, at).trim());
      from = at + 1;
    }
  }
  return undefined;
}

/** The text with the arguments in place of the parameters; `expanded` are the arguments with their own macros replaced. */
function substituted({ text, parameters = [] }: MacroText, given: readonly string[], expanded: readonly string[]): string {
  const variadic = parameters.at(-1)?.endsWith('...') === true;
  const named = variadic ? parameters.slice(0, -1) : parameters;
  const rest = parameters.at(-1)?.replace('...', '').trim() || '__VA_ARGS__';
  const valueOf = (name: string, list: readonly string[]): string | undefined => {
    const n = named.indexOf(name);
    if (n >= 0) return list[n] ?? '';
    return variadic && name === rest ? list.slice(named.length).join(', ') : undefined;
  };
  // "#" wants the argument as it was written, and so does "##".
  return text
    .replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|(#{0,2})\s*\b([A-Za-z_]\w*)\b(\s*##)?/g, (all: string, before: string | undefined, name: string | undefined, pasted: string | undefined) => {
      if (name === undefined) return all;
      if (before === '#') return valueOf(name, given) === undefined ? all : `"${valueOf(name, given)!.replace(/["\\]/g, '\\$&')}"${pasted ?? ''}`;
      const value = valueOf(name, before === '##' || pasted ? given : expanded);
      return value === undefined ? all : `${before === '##' ? '##' : all.slice(0, all.indexOf(name))}${value}${pasted ?? ''}`;
    })
    .replace(/\s*##\s*/g, '');
}

/** `input` with every call of a function-like macro replaced. `find` yields what a name stands for. */
export function expandMacroCalls(input: string, find: (name: string) => MacroText | undefined, active: ReadonlySet<string> = new Set()): string {
  let output = '';
  for (let at = 0; at < input.length; ) {
    TEXT.lastIndex = NAME.lastIndex = at;
    const text = TEXT.exec(input)?.[0];
    const name = text === undefined && !/\w/.test(input[at - 1] ?? '') ? NAME.exec(input)?.[0] : undefined;
    const step = text ?? name ?? input[at]!;
    at += step.length;
    const open = name === undefined ? -1 : at + /^\s*/.exec(input.slice(at))![0].length;
    const called = name !== undefined && input[open] === '(' && !active.has(name) && !NO_MACRO_BEHIND.test(output) ? find(name) : undefined;
    const found = called?.parameters && argumentsAt(input, open);
    if (!called || !found) {
      output += step;
      continue;
    }
    const expanded = found.list.map((argument) => expandMacroCalls(argument, find, active));
    output += expandMacroCalls(substituted(called, found.list, expanded), find, new Set([...active, name!]));
    if (output.length > LONGEST) return input;
    at = found.end;
  }
  return output;
}
