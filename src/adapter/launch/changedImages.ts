/** Images that change on disk while a machine runs on what it has read of them: a kernel that is built again, mostly. */
import type { FileSource } from '../../base/files';
import type { MachineOptions } from '../../machine/machineInterface';

/** Names of the files that a machine was made from. */
export function imageNames({ drives, boot }: Pick<MachineOptions, 'drives' | 'boot'>): string[] {
  const names = drives.map(({ name }) => name);
  if ('image' in boot) names.push(boot.image.name);
  if ('initrd' in boot && boot.initrd) names.push(boot.initrd.name);
  if ('modules' in boot) names.push(...boot.modules.map(({ image }) => image.name));
  return names;
}

export class ImageTimes {
  private constructor(
    private readonly files: Pick<FileSource, 'modified'>,
    private readonly times: Map<string, number>,
  ) {}

  /** Notes when each file was modified last; files whose host cannot tell are left out. */
  static async of(files: Pick<FileSource, 'modified'>, names: readonly string[]): Promise<ImageTimes> {
    const times = new Map<string, number>();
    for (const name of names) {
      const time = await files.modified(name);
      if (time !== undefined) times.set(name, time);
    }
    return new ImageTimes(files, times);
  }

  /** One sentence for each image that was changed or taken away since. Each is told once. */
  async changed(): Promise<string[]> {
    const sentences: string[] = [];
    for (const [name, before] of this.times) {
      const now = await this.files.modified(name);
      if (now === before) continue;
      this.times.delete(name);
      sentences.push(`${name} was ${now === undefined ? 'taken away' : 'changed'} on disk while the machine ran, which keeps to what it had read${now === undefined ? '' : ': start anew to boot the new one'}.`);
    }
    return sentences;
  }
}
