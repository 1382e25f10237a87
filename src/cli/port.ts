/** The option `--port N` of the commands that listen. */
import { UserError } from '../base/errors';

const MOST_PORT = 65535;

/** Takes `--port N` and `--port=N` out of the words; `port` is undefined where there is none. Throws a UserError for what is no port. */
export function takePort(words: readonly string[]): { port: number | undefined; rest: string[] } {
  const rest: string[] = [];
  let port: number | undefined;
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word !== '--port' && !word.startsWith('--port=')) {
      rest.push(word);
      continue;
    }
    const value = word === '--port' ? words[++i] : word.slice('--port='.length);
    port = /^[0-9]+$/.test(value ?? '') ? Number(value) : NaN;
    if (!(port <= MOST_PORT)) throw new UserError('usage', `--port needs a number from 0 to ${MOST_PORT} behind it${value === undefined ? '' : `, not ${value}`}; 0 takes a free one.`);
  }
  return { port, rest };
}
