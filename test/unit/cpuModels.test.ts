/** Processor models: what they withhold exists, and the capability MSRs follow. */
import assert from 'node:assert/strict';
import { readConfiguration } from '../../src/adapter/launch/configuration';
import { featureNames } from '../../src/cpu/system/features';
import { MODELS, withheldBy } from '../../src/cpu/system/models';
import { Secondary, VmxMsr } from '../../src/vmx';
import { VmxRig } from './vmxRig';

const secondaryAllowed = (model: string): number => Number(new VmxRig(withheldBy(model)).unit.capabilities.read(VmxMsr.PROCBASED_CTLS2)! >> 32n);

describe('processor models', () => {
  it('withhold features that there are, the older the more', () => {
    const names = new Set(featureNames());
    let before = Infinity;
    for (const model of MODELS) {
      const withheld = withheldBy(model)!;
      for (const name of withheld) assert.ok(names.has(name), name);
      assert.ok(withheld.length < before);
      before = withheld.length;
    }
    assert.equal(withheldBy('pentium'), undefined);
  });
  it('change the capability MSRs truthfully', () => {
    assert.equal(secondaryAllowed('nehalem') & Secondary.UNRESTRICTED_GUEST, 0);
    assert.notEqual(secondaryAllowed('nehalem') & Secondary.EPT, 0);
    assert.notEqual(secondaryAllowed('haswell') & Secondary.UNRESTRICTED_GUEST, 0);
    assert.equal(secondaryAllowed('haswell') & Secondary.PML, 0);
    assert.notEqual(secondaryAllowed('skylake-server') & Secondary.PML, 0);
    assert.equal(new VmxRig(withheldBy('nehalem')).unit.capabilities.read(VmxMsr.VMFUNC), undefined);
  });
  it('are named in the launch configuration, beside features to do without', () => {
    const read = (cpu: unknown): string[] => readConfiguration({ machine: { cpu } }).machine.without;
    assert.deepEqual(read({ model: 'skylake-server', without: ['ept'] }), [...withheldBy('skylake-server')!, 'ept']);
    assert.throws(() => read({ model: 'pentium' }), /machine\.cpu\.model.*nehalem/);
  });
});
