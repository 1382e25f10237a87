// Builds everything that ships, from this one file: for Node the extension, the debug adapter, the language server and
// the command line; for the browser the web extension and its two workers. `npm run build` makes the small production
// bundles, `npm run watch` those with source maps to develop with.
'use strict';

const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');
const esbuild = require('esbuild');
const webpack = require('webpack');
const CopyPlugin = require('copy-webpack-plugin');

const out = path.resolve(__dirname, 'dist');

/** iced-x86 loads its WebAssembly from the folder of its own script; a bundle moves that script. */
const icedWasm = require.resolve('iced-x86/iced_x86_bg.wasm');

/** The command line starts with this line and may be executed as it stands. */
class ExecutablePlugin {
  constructor(file) {
    this.file = file;
  }
  apply(compiler) {
    new webpack.BannerPlugin({
      banner: '#!/usr/bin/env node',
      raw: true,
      include: this.file,
      // After minimizing, which would take the line for a comment.
      stage: webpack.Compilation.PROCESS_ASSETS_STAGE_OPTIMIZE_SIZE + 1,
    }).apply(compiler);
    compiler.hooks.afterEmit.tap('ExecutablePlugin', (compilation) => {
      if (compilation.getAsset(this.file)) fs.chmodSync(path.join(compiler.outputPath, this.file), 0o755);
    });
  }
}

/**
 * Generates beforehand what would be made at every start (see src/cpu/prebuilt.ts). Yields the module that takes that
 * one's place in the bundles.
 */
function prebuilt() {
  const entry = `
    export { TABLES } from './src/cpu/decode/mnemonics';
    export { derivedFor } from './src/cpu/engine/derived';
    export { interpreterBytes } from './src/cpu/engine/engine';
    export { linesFor } from './src/cpu/engine/lineCode';
    export { transferFor } from './src/vmx/transfer';`;
  const { outputFiles } = esbuild.buildSync({ stdin: { contents: entry, resolveDir: __dirname, loader: 'ts' }, bundle: true, platform: 'node', format: 'cjs', write: false });
  const generator = new Module(path.join(__dirname, 'prebuilt'));
  generator._compile(outputFiles[0].text, generator.id);
  const { interpreterBytes, linesFor, derivedFor, transferFor, TABLES } = generator.exports;
  const modules = Object.entries({ interpreter: interpreterBytes(), lines: linesFor.bytes(), derived: derivedFor.bytes(), transfer: transferFor.bytes() });
  const text = (array) => `bytes(${JSON.stringify(Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('base64'))})`;
  const tables = Object.entries(TABLES).map(([name, value]) => `${name}: ${Array.isArray(value) ? JSON.stringify(value) : `new ${value.constructor.name}(${text(value)}.buffer)`}`);
  const folder = path.join(__dirname, 'node_modules/.cache/hyperstep');
  fs.mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'prebuilt.js');
  fs.writeFileSync(
    file,
    `function bytes(base64) {
  // In Node in a twentieth of the time; copied, because small buffers lie in a larger one.
  if (typeof Buffer !== 'undefined') return Uint8Array.from(Buffer.from(base64, 'base64'));
  const text = atob(base64);
  const array = new Uint8Array(text.length);
  for (let i = 0; i < array.length; i++) array[i] = text.charCodeAt(i);
  return array;
}
export const prebuilt = { ${modules.map(([name, code]) => `${name}: ${text(code)}`).join(', ')}, tables: { ${tables.join(', ')} } };
`,
  );
  return file;
}

/** Makes bundles small with esbuild, in a second; webpack's own minimizer takes most of a minute for a tenth less. */
class EsbuildMinimizer {
  apply(compiler) {
    const stage = webpack.Compilation.PROCESS_ASSETS_STAGE_OPTIMIZE_SIZE;
    compiler.hooks.compilation.tap('EsbuildMinimizer', (compilation) => {
      compilation.hooks.processAssets.tapPromise({ name: 'EsbuildMinimizer', stage }, async (assets) => {
        const scripts = Object.entries(assets).filter(([name]) => name.endsWith('.js'));
        await Promise.all(
          scripts.map(async ([name, source]) => {
            const { code } = await esbuild.transform(source.source().toString(), { minify: true, target: 'es2022', legalComments: 'none' });
            compilation.updateAsset(name, new webpack.sources.RawSource(code), { minimized: true });
          }),
        );
      });
    });
  }
}

module.exports = (_env, argv) => {
  const production = argv.mode === 'production';
  // Who develops changes what it is generated from.
  const generated = production ? [new webpack.NormalModuleReplacementPlugin(/[\\/]prebuilt$/, prebuilt())] : [];

  const common = {
    mode: production ? 'production' : 'development',
    devtool: production ? false : 'source-map',
    externals: { vscode: 'commonjs vscode' },
    performance: { hints: false },
    optimization: { minimizer: [new EsbuildMinimizer()] },
    stats: { preset: 'errors-warnings', assets: true, modules: false, entrypoints: false, assetsSort: 'name' },
    module: {
      rules: [
        {
          test: /\.ts$/,
          exclude: /node_modules/,
          loader: 'ts-loader',
          // Types are checked by `npm run lint`; here they would only cost time.
          options: { transpileOnly: true, onlyCompileBundledFiles: true, compilerOptions: { noEmit: false } },
        },
      ],
    },
  };

  const node = {
    ...common,
    name: 'node',
    target: 'node',
    entry: {
      extension: './src/extension/node.ts',
      adapter: './src/adapter/hosts/start.ts',
      'adapter.main': './src/adapter/hosts/stdio.ts',
      language: './src/language/hosts/node.ts',
      cli: './src/adapter/hosts/start.ts',
      'cli.main': './src/cli/main.ts',
    },
    output: {
      path: out,
      filename: '[name].js',
      // What the command line loads only when it needs it: the debug adapter, the disassembler.
      chunkFilename: 'part-[id].js',
      libraryTarget: 'commonjs2',
      devtoolModuleFilenameTemplate: '../[resource-path]',
      clean: { keep: 'web/' },
    },
    resolve: { extensions: ['.ts', '.js'] },
    // What a bundle is started by requires for it.
    module: { ...common.module, parser: { javascript: { createRequire: false } } },
    // Bundles find the files that lie beside them: the lab's images, iced-x86's WebAssembly, the bundle that they start.
    node: { __dirname: false, __filename: false },
    plugins: [...generated, new CopyPlugin({ patterns: [{ from: icedWasm, to: out }] }), new ExecutablePlugin('cli.js')],
  };

  const worker = {
    ...common,
    target: 'webworker',
    resolve: {
      extensions: ['.ts', '.js'],
      mainFields: ['browser', 'module', 'main'],
      // What the debug adapter library names but does not need in a browser is left empty.
      fallback: {
        path: require.resolve('path-browserify'),
        events: require.resolve('events/'),
        fs: false,
        net: false,
        url: false,
        util: false,
      },
    },
    module: {
      rules: [...common.module.rules, { test: /\.wasm$/, type: 'asset/bytes' }],
    },
    plugins: [
      ...generated,
      new webpack.NormalModuleReplacementPlugin(/^node:/, (resource) => {
        resource.request = resource.request.slice('node:'.length);
      }),
      // iced-x86 reads its WebAssembly with `fs` and decodes text with `util`; in a browser both come from here.
      new webpack.NormalModuleReplacementPlugin(/^(fs|util)$/, (resource) => {
        if (/[\\/]iced-x86$/.test(resource.context)) resource.request = path.resolve(__dirname, 'src/adapter/hosts/icedInBrowser.ts');
      }),
      // A worker is started from a blob and cannot load a second file by a relative address.
      new webpack.optimize.LimitChunkCountPlugin({ maxChunks: 1 }),
      new webpack.ProvidePlugin({ process: require.resolve('process/browser.js'), Buffer: ['buffer', 'Buffer'] }),
    ],
  };

  const web = {
    ...worker,
    name: 'web',
    entry: { extension: './src/extension/web.ts' },
    output: { path: path.join(out, 'web'), filename: '[name].js', libraryTarget: 'commonjs', devtoolModuleFilenameTemplate: '../../[resource-path]' },
  };

  const webWorkers = {
    ...worker,
    name: 'web-workers',
    entry: { adapter: './src/adapter/hosts/worker.ts', language: './src/language/hosts/worker.ts' },
    output: { path: path.join(out, 'web'), filename: '[name].js', devtoolModuleFilenameTemplate: '../../[resource-path]' },
  };

  return [node, web, webWorkers];
};
