/** Source files as the client sees them. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { SourceFile, SymbolImage } from '../symbols/image';
import { baseName } from './launch/paths';
import type { Session } from './session';

/** A file of the debug information. One that is not on disk keeps its name and is marked as not to be opened. */
export async function sourceOf(session: Session, file: SourceFile): Promise<DebugProtocol.Source> {
  const path = await session.run.sources.pathOf(file);
  return path === undefined ? missing(file) : { name: baseName(path), path: session.format.path(path) };
}

const missing = (file: SourceFile): DebugProtocol.Source => ({ name: baseName(file.path), path: file.path, presentationHint: 'deemphasize', origin: 'not found: see "sourceMap" in the launch configuration' });

/** A place in the debug information as source and line of the client; line 0 when the file on disk has no such line. */
export async function placeOf(session: Session, image: SymbolImage, file: SourceFile, line: number): Promise<{ source: DebugProtocol.Source; line: number }> {
  const disk = await session.run.sources.toDisk(image, file, line);
  if (!disk) return { source: missing(file), line: session.format.line(line) };
  return { source: { name: baseName(disk.path), path: session.format.path(disk.path) }, line: session.format.line(disk.line ?? 0) };
}
