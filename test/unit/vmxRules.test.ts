/** The rules of VM entry and VM exit are tested, and those of VM entry documented as they are. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { uncovered } from '../rules/uncovered';
import { DOCUMENT, documentText } from '../rules/vmEntryChecksDocs';

describe('VMX: rules', () => {
  it('each has a test for both outcomes', function () {
    this.timeout(60_000);
    assert.deepEqual(uncovered(), []);
  });

  it('docs/vm-entry-checks.md is what the tables say', () => {
    assert.equal(fs.readFileSync(DOCUMENT, 'utf8'), documentText(), 'npx tsx test/rules/vmEntryChecksDocs.ts writes it anew.');
  });
});
