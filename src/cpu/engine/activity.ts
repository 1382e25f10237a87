/** Values of Offset.ACTIVITY (SDM volume 3, "Guest Non-Register State"). */
export const Activity = { ACTIVE: 0, HLT: 1, SHUTDOWN: 2, WAIT_FOR_SIPI: 3 } as const;
