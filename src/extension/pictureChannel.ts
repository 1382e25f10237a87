/** What the extension and the page that draws the display's picture (picturePage.ts) say to each other. */
import type { PictureMode, PictureResponse } from '../adapter/messages';

export type ToPicturePage =
  /** The picture, all or some of its lines, and its words; or the sentence for none. */
  | { kind: 'picture'; picture?: PictureResponse['picture']; words?: string; none?: string }
  /** The session is over; the last picture stays. */
  | { kind: 'ended' };

export type FromPicturePage =
  /** The page is there and knows nothing yet. */
  | { kind: 'ready' }
  /** Keys for the guest's keyboard. */
  | { kind: 'type'; text: string };

/** What is read of a picture by who cannot see it, and stands below it. */
export const pictureWords = ({ width, height, words }: PictureMode): string => `${width} by ${height} pixels, ${words}`;

/** What stands in its place while there is none. */
export const NO_PICTURE = 'The guest shows text now: it is in the terminal "VGA screen".';
