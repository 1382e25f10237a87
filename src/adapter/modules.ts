/** Symbol files as modules of the protocol. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { LoadedImage } from '../debug/symbols/imageSet';
import type { Session } from './session';

export const moduleOf = (session: Session, { id, name, path, image }: LoadedImage): DebugProtocol.Module => ({
  id,
  name,
  path: session.format.path(path),
  symbolStatus: image.hasDebugInformation ? 'Symbols loaded.' : 'No debug information.',
});
