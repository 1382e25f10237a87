/** What is started of the command line and of the desktop's debug adapter: the bundle beside it, from V8's cache of its code. */
import './tierUp';
import { runBundle } from './codeCache';

runBundle(__filename.replace(/\.js$/, '.main.js'));
