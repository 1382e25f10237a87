/** The language server, whatever carries its messages: diagnostics and hovers for `.e820` text. */
import {
  DiagnosticSeverity,
  TextDocumentSyncKind,
  TextDocuments,
  type Connection,
  type Diagnostic,
  type Range as LspRange,
} from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { checkE820, type Severity } from './e820/check';
import { hoverE820 } from './e820/hover';
import { parseE820, type Span } from '../base/e820Text';

const SEVERITIES: Record<Severity, DiagnosticSeverity> = {
  error: DiagnosticSeverity.Error,
  warning: DiagnosticSeverity.Warning,
  hint: DiagnosticSeverity.Hint,
};

const lspRange = ({ line, start, end }: Span): LspRange => ({ start: { line, character: start }, end: { line, character: end } });

/** Answers on the connection until it closes. */
export function serve(connection: Connection): void {
  const documents = new TextDocuments(TextDocument);

  connection.onInitialize(() => ({
    capabilities: { textDocumentSync: TextDocumentSyncKind.Incremental, hoverProvider: true },
  }));

  documents.onDidChangeContent(({ document }) => {
    const diagnostics = checkE820(parseE820(document.getText())).map(
      (finding): Diagnostic => ({
        range: lspRange(finding.span),
        severity: SEVERITIES[finding.severity],
        source: 'hyperstep',
        code: finding.rule,
        message: finding.message,
        relatedInformation: finding.related && [
          { location: { uri: document.uri, range: lspRange(finding.related.span) }, message: finding.related.message },
        ],
      }),
    );
    void connection.sendDiagnostics({ uri: document.uri, version: document.version, diagnostics });
  });

  documents.onDidClose(({ document }) => void connection.sendDiagnostics({ uri: document.uri, diagnostics: [] }));

  connection.onHover(({ textDocument, position }) => {
    const document = documents.get(textDocument.uri);
    const hover = document && hoverE820(parseE820(document.getText()), position.line, position.character);
    return hover && { contents: { kind: 'markdown', value: hover.markdown }, range: lspRange(hover.span) };
  });

  documents.listen(connection);
  connection.listen();
}
