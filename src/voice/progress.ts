/** A line on the terminal that says what a run is at, once it has taken a while. */

/** Milliseconds before which nobody wonders. */
const PATIENCE = 500;

/** Tells a person what goes on. */
export interface Progress {
  say(text: string): void;
  stop(): void;
}

/** Starts to show progress on stderr, if that is a terminal and the run takes longer than half a second. */
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
