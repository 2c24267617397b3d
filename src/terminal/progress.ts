/** Shows on the terminal what a run is doing, once it has taken a while. */

/** Milliseconds of silence before the line appears. */
const PATIENCE = 500;

/** Tells a person what the run is doing. */
export interface Progress {
  say(text: string): void;
  stop(): void;
}

/** Shows progress on stderr if that is a terminal and the run takes longer than half a second. */
export function startProgress(quiet: boolean): Progress {
  let text = 'reading generations';
  let ended = quiet;
  let spinner: { text: string; stop(): unknown } | undefined;
  const show = async () => {
    if (ended || !process.stderr.isTTY) return;
    const { default: makeSpinner } = await import('yocto-spinner');
    if (!ended) spinner = makeSpinner({ text, stream: process.stderr }).start();
  };
  const timer = setTimeout(() => void show(), PATIENCE);
  timer.unref();
  return {
    say(next) {
      text = next;
      if (spinner) spinner.text = next;
    },
    stop() {
      ended = true;
      clearTimeout(timer);
      spinner?.stop();
    },
  };
}
