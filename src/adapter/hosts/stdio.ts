/** The debug adapter as a process of its own: VS Code on the desktop starts this and talks over standard input and output. */
import './v8Settings';
import './keptInterpreter';
import { nodeHost } from './nodeHost';
import { serveStdio } from './streams';

// The last answer goes out first: writing to a pipe takes its time on Windows.
void serveStdio(nodeHost()).then(() => process.stdout.write('', () => process.exit(0)));
