// The house's one import rule as a table: each folder of src/ and the folders it may import.
import path from 'node:path';

/** Folder -> what it may import besides itself. `node` stands for Node's modules. */
const ALLOWED = {
  base: [],
  wasm: ['base'],
  cpu: ['wasm', 'base'],
  vmx: ['cpu', 'wasm', 'base'],
  machine: ['vmx', 'cpu', 'wasm', 'base'],
  symbols: ['base'],
  debug: ['symbols', 'machine', 'vmx', 'cpu', 'base'],
  adapter: ['gdb', 'debug', 'symbols', 'machine', 'vmx', 'cpu', 'base'],
  'adapter/hosts': ['adapter', 'gdb', 'debug', 'symbols', 'machine', 'vmx', 'cpu', 'base', 'node'],
  gdb: ['debug', 'symbols', 'machine', 'vmx', 'cpu', 'base'],
  cli: ['adapter/hosts', 'adapter', 'gdb', 'debug', 'symbols', 'machine', 'vmx', 'cpu', 'base', 'node'],
  language: ['vmx/tables', 'base'],
  extension: ['adapter/messages', 'base', 'node'],
};

const folderOf = (relative) => {
  const parts = relative.split('/');
  return parts[0] === 'adapter' && parts[1] === 'hosts' ? 'adapter/hosts' : parts[0];
};

export const layers = {
  meta: { type: 'problem', schema: [], messages: { up: '{{from}} may not import {{to}}: imports point downward only (docs/how-it-works.md).', host: '{{from}} may not use Node: files and time come through interfaces.' } },
  create(context) {
    const root = path.join(context.cwd, 'src');
    const file = path.relative(root, context.filename).split(path.sep).join('/');
    const from = folderOf(file);
    const allowed = ALLOWED[from];
    if (!allowed) return {};
    const check = (node) => {
      if (!node.source) return;
      const source = node.source.value;
      if (source.startsWith('node:')) {
        if (!allowed.includes('node')) context.report({ node, messageId: 'host', data: { from } });
        return;
      }
      if (!source.startsWith('.')) return;
      const target = path.posix.normalize(path.posix.join(path.posix.dirname(file), source));
      const to = folderOf(target);
      if (to === from) return;
      const fine = allowed.some((a) => a === to || target === a || target.startsWith(a + '/'));
      if (!fine) context.report({ node, messageId: 'up', data: { from, to: target } });
    };
    return { ImportDeclaration: check, ExportNamedDeclaration: check, ExportAllDeclaration: check };
  },
};
