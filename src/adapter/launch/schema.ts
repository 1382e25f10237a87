/**
 * A small language for the shape of a launch configuration. Each shape checks a value and yields one sentence per
 * wrong key; the configuration itself is one table of shapes in configuration.ts.
 */
import { nearest } from '../../base/nearest';

export type Shape =
  | { kind: 'string' }
  | { kind: 'boolean' }
  | { kind: 'integer'; least: number; most: number }
  | { kind: 'word'; words: readonly string[] }
  | { kind: 'list'; of: Shape }
  /** Keys that the user chooses, with values of one shape. */
  | { kind: 'map'; of: Shape }
  | { kind: 'object'; keys: Readonly<Record<string, Shape>>; required?: readonly string[]; ignore?: (key: string) => boolean;
      /** Keys that other debuggers have for the same, and what to write here, as the end of a sentence. */
      foreign?: Readonly<Record<string, string>> }
  /** A shape chosen by the value itself. */
  | { kind: 'choose'; by: (value: unknown) => Shape }
  /** A rule of its own: yields the sentence, or undefined. */
  | { kind: 'rule'; check: (key: string, value: unknown) => string | undefined };

const shown = (value: unknown): string => JSON.stringify(value) ?? 'undefined';
/** What is wrong with a value that is no text, or an empty one. */
export const noText = (key: string, value: unknown): string => `"${key}" is ${shown(value)}, but must be a text that is not empty.`;
const join = (key: string, part: string): string => (key === '' ? part : `${key}.${part}`);
/** A text that is not empty; a list of one could be made of it. */
const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** All that is wrong with `value`, one sentence each; `key` is where it stands, '' for the whole. */
export function check(shape: Shape, key: string, value: unknown): string[] {
  switch (shape.kind) {
    case 'string':
      return isText(value) ? [] : [noText(key, value)];
    case 'boolean':
      return typeof value === 'boolean' ? [] : [`"${key}" is ${shown(value)}, but must be true or false.`];
    case 'integer':
      return typeof value === 'number' && Number.isInteger(value) && value >= shape.least && value <= shape.most
        ? []
        : [`"${key}" is ${shown(value)}, but must be a whole number from ${shape.least} to ${shape.most}.`];
    case 'word': {
      if (typeof value === 'string' && shape.words.includes(value)) return [];
      const near = typeof value === 'string' ? nearest(value, shape.words) : undefined;
      return [`"${key}" is ${shown(value)}, ` + (near ? `which is unknown: did you mean "${near}"?` : `but must be one of ${shape.words.map((w) => `"${w}"`).join(', ')}.`)];
    }
    case 'list':
      return Array.isArray(value) ? value.flatMap((v, i) => check(shape.of, `${key}[${i}]`, v)) : [`"${key}" is ${shown(value)}, but must be a list: ${isText(value) ? `[${shown(value)}]` : '[ ... ]'}.`];
    case 'map':
      return isObject(value) ? Object.entries(value).flatMap(([k, v]) => check(shape.of, join(key, k), v)) : [`"${key}" is ${shown(value)}, but must be an object: { ... }.`];
    case 'object':
      return isObject(value) ? checkObject(shape, key, value) : [`"${key}" is ${shown(value)}, but must be an object: { ... }.`];
    case 'choose':
      return check(shape.by(value), key, value);
    case 'rule': {
      const sentence = shape.check(key, value);
      return sentence === undefined ? [] : [sentence];
    }
  }
}

function checkObject(shape: Shape & { kind: 'object' }, key: string, value: Record<string, unknown>): string[] {
  const sentences: string[] = [];
  let unlisted = false;
  for (const [k, v] of Object.entries(value)) {
    if (shape.ignore?.(k) || v === undefined) continue;
    const inner = Object.hasOwn(shape.keys, k) ? shape.keys[k] : undefined;
    if (inner) {
      sentences.push(...check(inner, join(key, k), v));
      continue;
    }
    const instead = shape.foreign?.[k];
    const near = instead === undefined ? nearest(k, Object.keys(shape.keys)) : undefined;
    unlisted ||= instead === undefined && near === undefined;
    sentences.push(`"${join(key, k)}" is not a key of the launch configuration` + (instead !== undefined ? `: ${instead}.` : near ? `: did you mean "${join(key, near)}"?` : '.'));
  }
  // The list of the keys is long enough to be told once.
  if (unlisted) sentences.push(`${key === '' ? 'The keys are' : `"${key}" has`} ${Object.keys(shape.keys).map((known) => `"${known}"`).join(', ')}.`);
  for (const k of shape.required ?? []) {
    if (value[k] === undefined) sentences.push(`"${key}" needs the key "${k}".`);
  }
  return sentences;
}
