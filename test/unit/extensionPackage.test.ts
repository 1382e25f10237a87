/** package.json against the rest: names that the compiler does not check. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { readConfiguration } from '../../src/adapter/launch/configuration';
import { featureNames } from '../../src/cpu/system/features';
import { SYSTEM_EVENTS } from '../../src/debug/exits/systemEvents';
import { CHECKS } from '../../src/debug/checks/table';
import { EXIT_REASONS } from '../../src/vmx/tables';

const ROOT = path.resolve(__dirname, '../..');
const manifest = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
const { contributes } = manifest;
const launch = contributes.debuggers[0].configurationAttributes.launch.properties;
/** What the adapter says about a configuration that is wrong. */
const complaint = (configuration: unknown): string => {
  try {
    readConfiguration(configuration);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};
/** The extension's source, to look for names in. */
const sources = fs
  .readdirSync(path.join(ROOT, 'src/extension'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => fs.readFileSync(path.join(ROOT, 'src/extension', name), 'utf8'))
  .join('\n');

describe('package.json', () => {
  it('offers the exit reasons of the table', () => {
    const offered: string[] = launch.breakOnExit.items.anyOf[0].enum;
    assert.deepEqual(offered, EXIT_REASONS.map(({ name }) => name));
  });

  it('offers the other events that breakOnExit takes, and the features that can be withheld', () => {
    assert.deepEqual(launch.breakOnExit.items.anyOf[1].enum, ['any', ...SYSTEM_EVENTS.map(({ kind }) => kind)]);
    assert.deepEqual(launch.machine.properties.cpu.properties.without.items.enum, featureNames());
  });

  it('offers the ways to write an entry of breakOnExit that the adapter reads', () => {
    const [, , text, object] = launch.breakOnExit.items.anyOf;
    const written = new RegExp(text.pattern);
    for (const entry of ['CPUID if leaf == 1', 'CPUID log: leaf {leaf}', 'entry if launch log: {n}']) {
      assert.match(entry, written);
      readConfiguration({ breakOnExit: [entry] });
    }
    assert.doesNotMatch('CPUID leaf', written);
    readConfiguration({ breakOnExit: [{ exit: 'CPUID', condition: 'leaf == 1', hitCount: '% 2', log: 'leaf' }] });
    assert.match(complaint({ breakOnExit: [{ exit: 'CPUID', qqqqqqqqqqqq: 1 }] }), new RegExp(Object.keys(object.properties).map((key) => `"${key}"`).join(', ')));
  });

  it('offers the run-time checks of the table, and says what they watch for', () => {
    const [object, list] = launch.vmxChecks.anyOf;
    assert.deepEqual(Object.entries<{ description: string }>(object.properties).map(([id, { description }]) => [id, description]), CHECKS.map(({ id, sentence }) => [id, sentence]));
    assert.deepEqual(list.items.enum, CHECKS.map(({ id }) => id));
  });

  it('offers configurations that the adapter accepts', () => {
    const { initialConfigurations, configurationSnippets } = contributes.debuggers[0];
    // Where the snippet has a place to type, what stands there first.
    const filled = JSON.parse(JSON.stringify(configurationSnippets).replace(/\$\{\d+:([^}]*)\}/g, '$1')) as { body: unknown }[];
    for (const configuration of [...initialConfigurations, ...filled.map(({ body }) => body)]) readConfiguration(configuration);
  });

  it('describes the keys that the adapter knows, and no others', () => {
    // The adapter lists its keys when it meets one that resembles none of them.
    const sentence = complaint({ qqqqqqqqqqqq: 1 });
    const known = [...sentence.slice(sentence.indexOf('The keys are')).matchAll(/"(\w+)"/g)].map(([, key]) => key);
    // VS Code sets noDebug itself, for "Start Without Debugging".
    assert.deepEqual(Object.keys(launch).sort(), known.filter((key) => key !== 'noDebug').sort());
  });

  it('has a file and a command behind every step of the walkthrough', () => {
    for (const { description, media } of contributes.walkthroughs.flatMap(({ steps }: { steps: object[] }) => steps)) {
      assert.ok(fs.existsSync(path.join(ROOT, media.markdown ?? media.image)), media.markdown ?? media.image);
      for (const [, command] of description.matchAll(/\(command:(hyperstep\.\w+)\)/g)) assert.ok(sources.includes(`'${command}'`), `nothing registers ${command}`);
    }
  });

  it('has every action of a row in its context menu too, where a keyboard reaches it', () => {
    const items: { command: string; when: string; group: string }[] = contributes.menus['view/item/context'];
    for (const { command, when } of items.filter(({ group }) => group.startsWith('inline'))) {
      assert.ok(items.some((i) => i.command === command && i.when === when && !i.group.startsWith('inline')), command);
    }
  });

  it('puts its actions into rows of its own views only', () => {
    for (const { command, when } of contributes.menus['view/item/context']) assert.match(when, /^view =~ \/\^hyperstep\\\.\/ && viewItem/, command);
    for (const { command, when } of contributes.menus['view/title']) assert.match(when, /^view == hyperstep\./, command);
    for (const menu of ['debug/variables/context', 'debug/watch/context']) for (const { command, when } of contributes.menus[menu]) assert.match(when, /^debugType == 'hyperstep'/, command);
  });

  it('has a command, a view and a file behind every name', () => {
    for (const { command } of contributes.commands) assert.ok(sources.includes(`'${command}'`), `nothing registers ${command}`);
    for (const { name } of contributes.problemMatchers) assert.ok(sources.includes(`'$${name}'`), `nothing uses ${name}`);
    for (const { id, icon } of contributes.views.debug) {
      assert.ok(sources.includes(`'${id}'`), `nothing shows ${id}`);
      assert.ok(fs.existsSync(path.join(ROOT, icon)), icon);
    }
    const files = [manifest.icon, ...contributes.grammars.map((g: { path: string }) => g.path), ...contributes.languages.flatMap((l: { configuration: string; icon: object }) => [l.configuration, ...Object.values(l.icon)])];
    for (const file of files) assert.ok(fs.existsSync(path.join(ROOT, file)), file);
  });
});
