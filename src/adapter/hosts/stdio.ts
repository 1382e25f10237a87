/** The debug adapter as a process of its own: VS Code on the desktop starts this and talks over standard input and output. */
import './tierUp';
import { nodeHost } from './nodeHost';
import { serveStdio } from './streams';

void serveStdio(nodeHost()).then(() => process.exit(0));
