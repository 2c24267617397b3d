/** What each verb prints with `--json`. `docs/schemas/` is made of this table. */
import {
  anything,
  count,
  flag,
  list,
  mapOf,
  nullable,
  object,
  type Schema,
  text,
  words,
} from './schema.ts';

const error = object({ code: text, message: text }, { hint: text });
const note = object({ path: text, note: text });
const problem = error;
const counter = object({ triesLeft: count, triesDone: count });
const step = object(
  {
    kind: words('write', 'replace', 'overwrite', 'remove'),
    path: text,
    size: count,
    because: text,
  },
  { content: anything },
);
const phases = list(object({ name: text, steps: list(step) }));
const forecast = object({ total: count, free: count, reserve: count, peak: count, after: count });
const leftOut = list(object({ generation: text, because: text }));
const plan = object(
  { phases, default: text, entries: list(text), leftOut, space: forecast },
  { espSpace: forecast, companions: list(object({ entry: text, files: list(text) })) },
);
const change = object({
  phase: text,
  kind: words('written', 'removed'),
  path: text,
  size: count,
  because: text,
});
const outcome = object(
  { esp: text },
  {
    format: object({ name: text, because: text }),
    plan,
    removals: list(object({ root: text, phases })),
    changes: list(change),
    written: count,
    firmware: list(text),
    error,
  },
);
const pass = [{ warnings: list(text), esps: list(outcome) }, { signed: list(text) }] as const;

const menuEntry = object(
  {
    id: text,
    path: text,
    size: count,
    frees: count,
    default: flag,
    booted: flag,
    pinned: flag,
  },
  {
    title: text,
    version: text,
    sharesWith: list(text),
    companions: list(text),
    own: flag,
    generation: count,
    name: text,
    neighbour: flag,
    counter,
    damage: text,
    unsigned: text,
  },
);
const broken = list(object({ generation: text, code: text, message: text }, { hint: text }));
const loader = object({ path: text, is: text }, { problem: text });
const difference = object({
  kind: words('missing', 'damaged', 'stale', 'loader', 'settings'),
  path: text,
  because: text,
});
const room = { total: count, free: count };
const finding = object(
  { weight: words('bad', 'caution'), text },
  { path: text, details: list(text), next: text },
);
const espStatus = object(
  { esp: text },
  {
    problem,
    xbootldr: text,
    bootsNext: text,
    nextProblem: text,
    nextIsCurrent: flag,
    nextIsBooted: flag,
    loaders: list(loader),
    entries: count,
    damaged: count,
    neighbours: count,
    onTrial: count,
    bad: count,
    nextIsBad: flag,
    nextTriesLeft: count,
    fromProfiles: list(difference),
    fromPrimary: list(difference),
    firmware: list(text),
    findings: list(finding),
    notes: list(note),
    leftOut: list(text),
    sharedImages: list(object({ path: text, size: count, entries: list(text) })),
    space: object({ ...room, ours: count, roomFor: count }),
    espSpace: object(room),
  },
);

const holder = object(
  {
    kind: words('generation', 'shared', 'unused', 'extra', 'loader', 'others', 'reserve', 'free'),
    name: text,
    size: count,
  },
  { generation: count },
);
const program = object(
  { name: text, path: text, starts: nullable(flag) },
  {
    signatures: list(object({ signer: text, valid: flag })),
    registers: list(object({ phase: text, value: text }, { key: text })),
    problem: text,
  },
);
const reportedEsp = object(
  {
    esp: text,
    findings: list(finding),
    notes: list(note),
    leftOut: list(text),
    menu: list(menuEntry),
    loaders: list(loader),
    volumes: list(object({ path: text, total: count, holders: list(holder) })),
    programs: list(program),
  },
  { xbootldr: text, timeout: text },
);
const reportedGeneration = object(
  { name: text, states: list(text) },
  { builtAt: count, label: text },
);

const signature = object({
  signer: list(text),
  certificate: nullable(text),
  digest: nullable(text),
  valid: flag,
  problem: nullable(text),
  inDb: nullable(flag),
  inDbx: nullable(text),
  accepted: nullable(flag),
});
const verifiedFile = object({
  file: text,
  digests: object({ sha256: text, sha384: text, sha512: text }),
  signatures: list(signature),
  digestInDb: nullable(flag),
  digestInDbx: nullable(flag),
  starts: nullable(flag),
  findings: list(text),
});
const files = [{ files: list(verifiedFile), problems: list(text) }] as const;

const value = object({ pcr: count, hash: text }, { phase: text });
const boot = object(
  {
    image: text,
    profile: count,
    values: mapOf(list(value)),
    events: list(object({ pcr: count, event: text, digests: mapOf(text) })),
  },
  { entry: text, id: text },
);
const changedKernel = object(
  { release: text, is: words('added', 'unchanged', 'removed', 'failed') },
  { generation: count },
);
const kernels = [
  { kernels: list(changedKernel), next: nullable(count), notes: list(text), warnings: list(text) },
] as const;
const keptKernel = object(
  { generation: count },
  { release: text, added: text, current: flag, running: flag, pinned: flag, broken: text },
);
const firmwareEntry = object({
  entry: text,
  title: text,
  active: flag,
  partition: nullable(text),
  path: nullable(text),
  file: nullable(text),
  dangling: flag,
  state: list(text),
});
const chosen = [{ id: nullable(text), changed: flag }] as const;
const espFinding = object({ path: text, problem: text, fatal: flag });
const hashArea = {
  uuid: text,
  hashType: count,
  dataBlocks: count,
  dataBlockSize: count,
  hashBlocks: count,
  hashBlockSize: count,
  hashAlgorithm: text,
  salt: text,
  hashOffset: count,
};
const certificate = object({
  variable: words('PK', 'KEK', 'db'),
  name: text,
  fingerprint: text,
  validTo: nullable(text),
  owner: nullable(text),
  in: list(text),
});

type Shape = Readonly<Record<string, Schema>>;
/** What a verb says beside its name: what is always there, and what may be. */
type Document = readonly [Shape, Shape?];

/** The documents by the verb. A verb has several where its operands or options ask for something else. */
export const DOCUMENTS: Readonly<Record<string, readonly Document[]>> = {
  install: [pass],
  plan: [pass, [{ request: text, programs: list(anything) }]],
  repair: [pass],
  gc: [pass],
  list: [
    [
      {
        esps: list(
          object({ esp: text, entries: list(menuEntry), notes: list(note) }, { problem: text }),
        ),
      },
      { broken },
    ],
  ],
  status: [
    [{ esps: list(espStatus) }, { booted: text, current: text, bootedIsCurrent: flag, broken }],
  ],
  report: [
    [
      {
        at: count,
        findings: list(finding),
        generations: list(reportedGeneration),
        esps: list(reportedEsp),
      },
      { booted: text, current: text },
    ],
  ],
  verify: [
    [
      {
        deep: flag,
        esps: list(
          object({ esp: text, findings: list(espFinding), notes: list(note) }, { problem: text }),
        ),
      },
    ],
    files,
  ],
  measure: [[{ boots: list(boot) }]],
  pin: [[{ generation: text, link: text }]],
  unpin: [[{ generation: text, link: text }]],
  'kernel add': [kernels],
  'kernel remove': [kernels],
  'kernel sync': [kernels],
  'kernel list': [[{ kernels: list(keptKernel) }]],
  'firmware list': [[{ timeout: nullable(count), entries: list(firmwareEntry) }]],
  'firmware register': [[{ changed: list(text) }]],
  'firmware forget': [[{ removed: list(text) }]],
  'entry next': [chosen],
  'entry default': [chosen],
  'loader timeout': [[{ timeout: nullable(text), changed: flag }]],
  'config check': [
    [
      {
        settings: list(object({ name: text, value: anything, from: nullable(text) })),
        mistakes: list(object({ message: text, hint: nullable(text) })),
      },
    ],
  ],
  units: [[{ written: list(text) }]],
  confine: [
    [
      {
        unit: object({ name: text, dropIns: list(text) }, { file: text }),
        mode: words('full-apivfs', 'chroot-only'),
        binds: list(anything),
        notices: list(text),
        text,
      },
      { output: text, changed: flag },
    ],
  ],
  'uki build': [
    [
      { output: text, size: count, certificate: nullable(text) },
      { values: list(mapOf(list(value))), policies: anything, warnings: list(text) },
    ],
  ],
  'image convert': [
    [
      { from: text, to: text, output: text, diskSize: count, size: count },
      { warnings: list(text) },
    ],
  ],
  'image inspect': [
    [
      {
        image: text,
        format: text,
        size: count,
        fileSize: count,
        table: object({ kind: words('gpt', 'dos', 'none') }, { uuid: text, sectorSize: count }),
        partitions: list(
          object(
            { number: count, type: text, uuid: text, offset: count, size: count },
            { name: text, attributes: text, fileSystem: anything },
          ),
        ),
        verity: list(anything),
        esps: list(anything),
        problems: list(text),
      },
      { fileSystem: anything },
    ],
  ],
  'image efi-vars': [[{ output: text, enrolled: flag, boot: list(text) }]],
  'uki verify': [
    [
      {
        image: text,
        repart: list(text),
        profiles: list(anything),
        partitions: list(anything),
        mismatches: list(anything),
      },
    ],
    files,
  ],
  'verity format': [[{ ...hashArea, rootHash: text }]],
  'verity dump': [[hashArea, { rootHash: text }]],
  'verity verify': [
    [
      {
        rootHash: text,
        finding: object(
          { kind: words('intact', 'short', 'root-hash', 'hash-block', 'data-block') },
          {
            of: words('data', 'hash'),
            expected: anything,
            got: anything,
            level: count,
            block: count,
            offset: count,
          },
        ),
      },
    ],
  ],
  'verity sign': [
    [
      { rootHash: text, certificateFingerprint: text },
      { output: text, document: text },
    ],
  ],
  'keys generate': [
    [{ directory: text, owner: text, keys: list(object({ name: text, fingerprint: text })) }],
  ],
  'keys status': [
    [
      {
        secureBoot: nullable(flag),
        setupMode: nullable(flag),
        dbx: nullable(count),
        directory: text,
        certificates: list(certificate),
        rotation: nullable(object({ stage: text, next: text })),
        problems: list(text),
      },
    ],
  ],
  'keys enroll': [
    [
      {
        directory: text,
        name: text,
        time: text,
        esps: list(object({ esp: text, path: text, written: anything })),
        warnings: list(text),
      },
    ],
    [{ path: text, time: text, written: flag }],
  ],
  sign: [
    [
      {
        certificate: text,
        files: list(object({ file: text, output: text, signed: flag })),
      },
    ],
  ],
};

const section = object({ size: count, sha256: text }, { text });
const sections = { additionalProperties: { anyOf: [section, list(section)] } };
const records = object({
  records: list(
    object({
      pcr: count,
      digests: list(object({ hashAlg: words('sha1', 'sha256', 'sha384', 'sha512'), digest: text })),
    }),
  ),
});
const repartRow = object(
  {
    type: text,
    label: text,
    uuid: text,
    partno: count,
    file: text,
    node: text,
    offset: count,
    old_size: count,
    raw_size: count,
    old_padding: count,
    raw_padding: count,
    activity: text,
  },
  { roothash: nullable(text), 'drop-in_files': list(text), split_path: text },
);

/** Documents whose shape is that of another program, which reads or prints the like. */
export const SHAPES_OF_OTHERS: Readonly<Record<string, Schema>> = {
  // As `ukify inspect --json`, by the names of sections.
  'uki inspect': {
    ...object({}, { _profiles: list({ ...object({}), ...sections }), _findings: list(text) }),
    ...sections,
  },
  // As files of systemd-pcrlock.
  'pcrlock lock-pe': records,
  'pcrlock lock-uki': records,
  // As `systemd-repart --json`, a row for each partition.
  'image build': list(repartRow),
  'image finish': list(repartRow),
};

/** Returns the schema of what a verb prints with `--json`. */
export function schemaOf(verb: string): Schema {
  const foreign = SHAPES_OF_OTHERS[verb];
  if (foreign) return foreign;
  const forms = (DOCUMENTS[verb] ?? []).map(([required, optional]) =>
    object({ version: { const: 1 }, verb: { const: verb }, ...required }, optional),
  );
  const [only, ...more] = forms;
  return only && more.length === 0 ? only : { anyOf: forms };
}
