/** Time and turns of Node: setImmediate lets arriving messages in between two slices. */
import type { Scheduler } from '../../debug/run/scheduler';

export const nodeScheduler: Scheduler = {
  now: () => performance.now(),
  soon(task, delay = 0) {
    if (delay > 0) setTimeout(task, delay);
    else setImmediate(task);
  },
};
