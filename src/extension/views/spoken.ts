/** What a screen reader says of a row. VS Code lets it read the tooltip alone, which does not repeat what the row shows. */
import type * as vscode from 'vscode';

/** The same row, read as these parts; empty ones are left out. */
export function spoken(item: vscode.TreeItem, ...parts: readonly string[]): vscode.TreeItem {
  item.accessibilityInformation = { label: parts.filter((part) => part !== '').join(', ') };
  return item;
}
