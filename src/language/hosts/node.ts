/** The language server as a Node process, spoken to over IPC or standard input and output. */
import { createConnection, ProposedFeatures } from 'vscode-languageserver/node';
import { serve } from '../server';

serve(createConnection(ProposedFeatures.all));
