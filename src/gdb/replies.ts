/** Replies that many packets have, and their limits. */

/** Bytes of a packet, as GDB is told; a reply with memory has two digits a byte. */
export const PACKET_SIZE = 0x4000;
export const MOST_MEMORY = PACKET_SIZE / 2 - 8;

export const OK = 'OK';
export const ERROR = 'E01';
export const UNKNOWN = '';
