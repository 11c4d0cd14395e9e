import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface Child {
  readonly process: ChildProcess
  /** Lines of standard output so far. A line that was cut by the end of the process is not one. */
  readonly lines: string[]
  /** Resolves with the next line that is not yet waited for; rejects when the process ends before. */
  line(): Promise<string>
  say(text: string): void
  /** Resolves when the process and its output are over. */
  readonly over: Promise<void>
}

/** Starts a program of this directory as a process of its own. */
export function startChild(program: string, given: readonly string[]): Child {
  const file = fileURLToPath(new URL(program, import.meta.url))
  const child = spawn(process.execPath, [file, ...given], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines: string[] = []
  let taken = 0
  let notify = (): void => {}
  let isOver = false
  let rest = ''
  child.stdout.setEncoding('utf8')
  child.stdout.on('data', (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts)
    notify()
  })
  const over = new Promise<void>((resolve) => {
    child.on('close', () => {
      isOver = true
      notify()
      resolve()
    })
  })
  return {
    process: child,
    lines,
    over,
    async line() {
      while (taken >= lines.length) {
        if (isOver) throw new Error(`${program} ended without another line.`)
        await new Promise<void>((resolve) => {
          notify = resolve
        })
      }
      return lines[taken++] as string
    },
    say: (text) => child.stdin.write(`${text}\n`),
  }
}
