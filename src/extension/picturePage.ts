/** The page that draws the display's picture: a canvas, and below it in words what it is. */

/** What terminals send for keys that give no character, by the keys' names in a browser. Tab and those with Ctrl, Alt or Meta stay VS Code's. */
const KEYS = {
  Enter: '\r', Backspace: '\b', Escape: '\x1b',
  ArrowUp: '\x1b[A', ArrowDown: '\x1b[B', ArrowRight: '\x1b[C', ArrowLeft: '\x1b[D', Home: '\x1b[H', End: '\x1b[F', Insert: '\x1b[2~', Delete: '\x1b[3~', PageUp: '\x1b[5~', PageDown: '\x1b[6~',
  F1: '\x1bOP', F2: '\x1bOQ', F3: '\x1bOR', F4: '\x1bOS', F5: '\x1b[15~', F6: '\x1b[17~', F7: '\x1b[18~', F8: '\x1b[19~', F9: '\x1b[20~', F10: '\x1b[21~', F11: '\x1b[23~', F12: '\x1b[24~',
};

const STYLE = `
  body { margin: 0; padding: 12px; color: var(--vscode-foreground); font: var(--vscode-font-size) var(--vscode-font-family); }
  canvas { display: block; max-width: 100%; max-height: calc(100vh - 80px); background: #000; border: 1px solid var(--vscode-contrastBorder, var(--vscode-panel-border, transparent)); }
  canvas.small { width: min(100%, 640px); image-rendering: pixelated; }
  canvas.stretched { aspect-ratio: 4 / 3; width: min(100%, 640px, calc((100vh - 80px) * 4 / 3)); }
  canvas:focus-visible { outline: 2px solid var(--vscode-contrastActiveBorder, var(--vscode-focusBorder)); outline-offset: 2px; }
  p { margin: 8px 0 0; line-height: 1.4; color: var(--vscode-descriptionForeground); }
  #hint { margin: 0; }
  [hidden] { display: none; }
`;

/** Runs in the page. Up to 360 pixels wide every pixel of the guest's is shown as two; up to 640, monitors showed each mode as high as 4:3, whatever its pixels. */
const SCRIPT = `
  const vscode = acquireVsCodeApi();
  const canvas = document.querySelector('canvas');
  const words = document.querySelector('p');
  const hint = document.querySelector('#hint');
  const context = canvas.getContext('2d');
  const say = (text) => { if (words.textContent !== text) words.textContent = text; };
  const draw = ({ width, height, first, rgb, label }) => {
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
      canvas.classList.toggle('small', width <= 360);
      canvas.classList.toggle('stretched', width <= 640 && 3 * width !== 4 * height);
    }
    const bytes = atob(rgb);
    const lines = context.createImageData(width, bytes.length / 3 / width);
    for (let from = 0, to = 0; from < bytes.length; from += 3, to += 4) {
      lines.data[to] = bytes.charCodeAt(from);
      lines.data[to + 1] = bytes.charCodeAt(from + 1);
      lines.data[to + 2] = bytes.charCodeAt(from + 2);
      lines.data[to + 3] = 255;
    }
    context.putImageData(lines, 0, first);
    if (canvas.getAttribute('aria-label') !== label) canvas.setAttribute('aria-label', label);
  };
  addEventListener('message', ({ data }) => {
    if (data.kind === 'ended') {
      hint.hidden = true;
      return say((canvas.hidden ? '' : words.textContent + '. ') + 'The session is over.');
    }
    canvas.hidden = hint.hidden = !data.picture;
    if (data.picture) draw({ ...data.picture, label: 'Picture on the guest\\'s display: ' + data.words });
    say(data.picture ? data.words : data.none);
  });
  canvas.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    // With Shift, function keys are VS Code's, which ends sessions so.
    const text = event.key.length === 1 ? event.key : event.shiftKey && /^F[0-9]/.test(event.key) ? undefined : KEYS[event.key];
    if (text === undefined) return;
    event.preventDefault();
    // What has been typed for the guest is no command for VS Code.
    event.stopPropagation();
    vscode.postMessage({ kind: 'type', text });
  });
  vscode.postMessage({ kind: 'ready' });
`;

/** The page as HTML; `nonce` is what lets its script and style in, and nothing else. */
export function picturePage(nonce: string): string {
  const script = `const KEYS = ${JSON.stringify(KEYS)};${SCRIPT}`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'">
<title>VGA picture</title>
<style nonce="${nonce}">${STYLE}</style>
</head>
<body>
<canvas role="img" aria-label="Picture on the guest's display" tabindex="0" hidden></canvas>
<p role="status"></p>
<p id="hint" hidden>Click the picture to type on the guest's keyboard; Tab leaves it, and with it the keys are VS Code's again.</p>
<script nonce="${nonce}">${script}</script>
</body>
</html>`;
}
