import assert from 'node:assert/strict';
import { test } from 'node:test';
import { architecture } from '../../src/loader/architecture.ts';

test('x86_64-linux has the names that firmware and systemd know', () => {
  assert.deepEqual(architecture('x86_64-linux'), {
    efi: 'x64',
    machine: 0x8664,
    loader: 'systemd-bootx64.efi',
    fallback: 'BOOTX64.EFI',
    previous: 'systemd-boot-fallbackx64.efi',
    stub: 'linuxx64.efi.stub',
  });
});

const fallbacks: Readonly<Record<string, string>> = {
  'i686-linux': 'BOOTIA32.EFI',
  'aarch64-linux': 'BOOTAA64.EFI',
  'armv7l-linux': 'BOOTARM.EFI',
  'riscv64-linux': 'BOOTRISCV64.EFI',
  'riscv32-linux': 'BOOTRISCV32.EFI',
  'loongarch64-linux': 'BOOTLOONGARCH64.EFI',
};

for (const [system, fallback] of Object.entries(fallbacks)) {
  test(`${system} falls back to ${fallback}`, () => {
    assert.equal(architecture(system).fallback, fallback);
  });
}

for (const system of ['', 'x86_64', 'x86_64-darwin', 'x86_64-linux-gnu', 's390x-linux']) {
  test(`${JSON.stringify(system)} is no system that EFI boots`, () => {
    assert.throws(() => architecture(system), { code: 'BOOTSPEC_UNSUPPORTED' });
  });
}

test('names that every object has are no processors', () => {
  for (const name of ['constructor', 'toString', '__proto__']) {
    assert.throws(() => architecture(`${name}-linux`), { code: 'BOOTSPEC_UNSUPPORTED' });
  }
});
