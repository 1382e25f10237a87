/** What the comparisons with GDB begin and end with. */
import { spawnSync } from 'node:child_process';
import { Client } from '../dap/client';
import { type Scene, sceneNamed } from './scenes';

/** Starts a scene's machine, which stops before its first instruction. Undefined, and why is told, where that cannot be. */
export async function startScene(name: string): Promise<{ scene: Scene; client: Client } | undefined> {
  if (spawnSync('gdb', ['--version']).error) {
    console.log('No gdb here: skipped.');
    return undefined;
  }
  const scene = await sceneNamed(name);
  if (typeof scene === 'string') {
    console.log(`Skipped: ${scene}`);
    return undefined;
  }
  const client = new Client();
  await client.launch({ ...scene.launch, stopOnEntry: true, history: false });
  const entry = client.next('stopped');
  await client.configured();
  await entry;
  return { scene, client };
}

/** Ends the process with the status that a comparison yields; an error is told and counts as a failure. */
export const endWith = (status: Promise<number>): void => {
  void status.then(
    (code) => process.exit(code),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
};
