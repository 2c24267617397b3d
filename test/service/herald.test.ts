/** The service manager is told each thing once, and a deaf one stops nothing. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EspError } from '../../src/error.ts';
import { createHerald } from '../../src/service/herald.ts';
import type { Log } from '../../src/terminal/log.ts';

type Message = Readonly<Record<string, string>>;

/** A herald, what its manager heard, and what was logged. */
function aHerald(notify?: () => Promise<void>, pingInterval?: number) {
  const heard: Message[] = [];
  const logged: unknown[] = [];
  const note = (...words: readonly unknown[]) => void logged.push(words);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const manager = {
    notify: notify ?? (async (message: Message) => void heard.push(message)),
    pingInterval,
  };
  return { herald: createHerald(manager, log), heard, logged };
}

describe('a herald', () => {
  test('tells that the service is ready, reads its configuration and ends', async () => {
    const { herald, heard } = aHerald();
    await herald.ready();
    await herald.reloading();
    await herald.stopping();
    assert.deepEqual(
      heard.map((message) => Object.keys(message)),
      [['READY'], ['RELOADING', 'MONOTONIC_USEC'], ['STOPPING']],
    );
    assert.match(heard[1]?.['MONOTONIC_USEC'] ?? '', /^\d+$/);
    herald.close();
  });

  test('tells a status when it is another one', async () => {
    const { herald, heard } = aHerald();
    for (const text of ['fine', 'fine', 'full', 'fine']) await herald.status(text);
    assert.deepEqual(heard, [{ STATUS: 'fine' }, { STATUS: 'full' }, { STATUS: 'fine' }]);
  });

  test('says once that nobody can be told, and goes on', async () => {
    const deaf = () => Promise.reject(new EspError('IO', 'nobody listens'));
    const { herald, logged } = aHerald(deaf);
    await herald.ready();
    await herald.status('fine');
    assert.equal(logged.length, 1);
    assert.match(JSON.stringify(logged), /nobody listens/);
  });

  test('does not take a bug for a deaf manager', async () => {
    const { herald } = aHerald(() => Promise.reject(new TypeError('a bug')));
    await assert.rejects(herald.ready(), TypeError);
  });

  test('says that the service is alive as often as it is asked to, until it is closed', (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const { herald, heard } = aHerald(undefined, 100);
    t.mock.timers.tick(250);
    herald.close();
    t.mock.timers.tick(500);
    assert.deepEqual(heard, [{ WATCHDOG: '1' }, { WATCHDOG: '1' }]);
  });
});
