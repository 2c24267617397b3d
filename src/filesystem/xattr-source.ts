/** Extended attributes of files of the machine, by getfattr(1): Node reads none. */
import { EspError } from '../error.ts';
import type { ReadXattrs } from '../tree/contents.ts';
import { compareNames, type Xattr } from '../tree/node.ts';
import type { Workshop } from './request.ts';
import { findTool, GETFATTR } from './tool.ts';

const LEAST = { version: '2.4' };
/** In milliseconds. */
const TIMEOUT = 600_000;
/** In bytes. */
const MAX_ANSWER = 256 * 1024 * 1024;

/**
 * Returns what reads the attributes of a file, or of everything below a directory.
 * @throws {TOOL_MISSING} from that function, when getfattr is not there
 * @throws {TOOL_FAILED} from that function, with its messages
 */
export function xattrReader(
  workshop: Pick<Workshop, 'disk' | 'machine' | 'environment'>,
): ReadXattrs {
  return (source) => {
    const { disk, machine } = workshop;
    const tool = findTool(GETFATTR, LEAST, workshop);
    const hostPath = disk.hostPath(source);
    if (hostPath === undefined) {
      throw new EspError('CONFIG_INVALID', `${source}: expected a file of the running system`);
    }
    const options = ['-R', '-P', '-h', '-d', '-m', '-', '-e', 'hex', '--absolute-names', '--'];
    const { status, stdout, messages, error } = machine.ask({
      ...{ argv: [tool.path, ...options, hostPath], timeout: TIMEOUT, limit: MAX_ANSWER },
      messages: 'kept',
    });
    if (status !== 0) {
      const what = `${tool.tool.name} ${tool.version} ended with status ${status}${messages}`;
      throw new EspError('TOOL_FAILED', what, { cause: error });
    }
    return parseAttributes(new TextDecoder().decode(stdout), hostPath, source);
  };
}

/** Blocks of `# file: PATH`, `NAME=0xHEX` and an empty line. In names, some bytes are `\\ooo`. */
function parseAttributes(
  text: string,
  hostPath: string,
  source: string,
): ReadonlyMap<string, readonly Xattr[]> {
  const found = new Map<string, readonly Xattr[]>();
  for (const block of text.split('\n\n')) {
    const [head = '', ...lines] = block.trim().split('\n');
    if (!head.startsWith('# file: ')) continue;
    const path = plain(head.slice('# file: '.length));
    const xattrs = lines.map((line) => {
      const [name = '', hex = '0x'] = line.split('=', 2);
      return { name: plain(name), value: Uint8Array.from(Buffer.from(hex.slice(2), 'hex')) };
    });
    const own = `${source}${path.slice(hostPath.length)}`;
    found.set(
      own,
      xattrs.sort((a, b) => compareNames(a.name, b.name)),
    );
  }
  return found;
}

function plain(escaped: string): string {
  return escaped.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
