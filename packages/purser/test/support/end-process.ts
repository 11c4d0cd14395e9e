import type { ChildProcess } from 'node:child_process'

/** Resolves when a process has ended, also if it ended before. */
export async function exitOf(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.once('exit', resolve))
}

/** Sends a signal and resolves when the process has ended, also if it ended before. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  const exited = exitOf(child)
  child.kill(signal)
  await exited
}
