/** Whether firmware starts a program: its processor, its subsystem, and where its sections lie. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { parsePe } from '../../src/pe/pe.ts';
import { startFault } from '../../src/pe/program.ts';
import { aPe, countingBytes, OPTIONAL_HEADER } from './a-pe.ts';

const X64 = 0x8664;

/** Returns the headers of a program of a subsystem. */
function aProgram(subsystem = 10, sections = [{ name: '.text', bytes: countingBytes(700) }]) {
  const bytes = aPe({ sections });
  new DataView(bytes.buffer).setUint16(OPTIONAL_HEADER + 68, subsystem, true);
  return parsePe(bytesSource(bytes));
}

test('an application for this processor starts', () => {
  assert.equal(startFault(aProgram(), X64), undefined);
});

test('a program for another processor does not, and both are named', () => {
  assert.match(startFault(aProgram(), 0xaa64) ?? '', /expected machine 0xaa64, got 0x8664/);
});

test('what is no application does not start, unless a driver is meant as well', () => {
  for (const [subsystem, isDriver] of [
    [3, false],
    [11, true],
    [12, true],
  ] as const) {
    const program = aProgram(subsystem);
    assert.match(startFault(program, X64) ?? '', new RegExp(`no EFI application.*${subsystem}`));
    assert.equal(startFault(program, X64, true) === undefined, isDriver);
  }
});

test('a program whose sections lie over each other does not start', () => {
  const section = { bytes: countingBytes(700), virtualAddress: 0x1000 };
  const program = aProgram(10, [
    { name: '.one', ...section },
    { name: '.two', ...section },
  ]);
  assert.match(startFault(program, X64) ?? '', /section "\.two" .* overlaps section "\.one"/);
});
