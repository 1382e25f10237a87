/** What the machine does, in the status bar: instructions executed and speed while it runs, the count where it stands. */
import * as vscode from 'vscode';
import type { ActivityEvent } from '../adapter/messages';
import type { Sessions } from './sessions';

/** 412 M rather than 412,345,678: the number changes twice a second. */
export const inMillions = (n: number): string => (n < 999_500 ? `${Math.round(n / 1e3)} k` : n < 9_999.5e6 ? `${Math.round(n / 1e6)} M` : `${(n / 1e9).toFixed(1)} G`);

interface Shown {
  activity: ActivityEvent | undefined;
  running: boolean;
}

export function showActivity(sessions: Sessions): vscode.Disposable {
  const item = vscode.window.createStatusBarItem('hyperstep.activity', vscode.StatusBarAlignment.Left, 1);
  item.name = 'Hyperstep';
  item.command = 'hyperstep.showSerial';
  const known = new Map<string, Shown>();

  const draw = (): void => {
    const session = sessions.active;
    const shown = session && known.get(session.id);
    if (!session || !shown) return item.hide();
    const { activity, running } = shown;
    const count = activity ? `${inMillions(activity.instructions)} instructions` : 'starting';
    const speed = activity && running ? (activity.idle ? ', waiting' : `, ${Math.round(activity.mips)} MIPS`) : '';
    item.text = `${running ? '$(vm-running)' : '$(vm-outline)'} ${count}${speed}`;
    item.tooltip = new vscode.MarkdownString(
      [
        `**Hyperstep**: the machine ${running ? (activity?.idle ? 'waits for an interrupt or for input' : 'runs') : 'stands'}.`,
        ...(activity ? [`${activity.instructions.toLocaleString('en')} instructions since power-on, ${activity.exits.toLocaleString('en')} VM exits.`] : []),
        'Click for the serial console.',
      ].join('\n\n'),
    );
    item.show();
  };

  return vscode.Disposable.from(
    item,
    sessions.onActivity(({ session, activity }) => {
      known.set(session.id, { running: known.get(session.id)?.running ?? true, activity });
      draw();
    }),
    sessions.onState(({ session, state }) => {
      if (state.what !== 'stopped' && state.what !== 'running') return;
      known.set(session.id, { activity: known.get(session.id)?.activity, running: state.what === 'running' });
      draw();
    }),
    sessions.onActive(draw),
    sessions.onEnded((session) => {
      known.delete(session.id);
      draw();
    }),
  );
}
