/** What is started of the command line and of the desktop's debug adapter: the bundle beside it, from V8's cache of its code. */
import './v8Settings';
import { yieldToMachine } from './backgroundThreads';
import { runBundle } from './keptBundle';

yieldToMachine();
runBundle(__filename.replace(/\.js$/, '.main.js'));
