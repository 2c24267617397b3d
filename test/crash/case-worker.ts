/** One case in a thread of its own: judging waits for one outside program after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { type CaseRequest, runCase } from './case.ts';
import { SCENARIOS } from './scenario.ts';

const { name, workshop, thoroughness }: CaseRequest = workerData;
const scenario = SCENARIOS.find((each) => each.name === name);
if (scenario) parentPort?.postMessage(await runCase(scenario, workshop, thoroughness));
