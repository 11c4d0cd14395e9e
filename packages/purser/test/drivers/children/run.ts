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

export interface ChildOptions {
  /** No file may grow beyond this many blocks of 512 or 1,024 bytes, as the system counts: then writing fails. */
  readonly fileBlocks?: number
}

/** Starts a program of this directory as a process of its own. */
export function startChild(program: string, given: readonly string[], { fileBlocks }: ChildOptions = {}): Child {
  const file = fileURLToPath(new URL(program, import.meta.url))
  const command = [process.execPath, file, ...given]
  const limited = fileBlocks === undefined ? [] : ['sh', '-c', `ulimit -f ${fileBlocks} && exec "$0" "$@"`]
  const [first = '', ...rest] = [...limited, ...command]
  const child = spawn(first, rest, { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines: string[] = []
  let taken = 0
  let notify = (): void => {}
  let isOver = false
  let unfinished = ''
  child.stdout.setEncoding('utf8')
  child.stdout.on('data', (text: string) => {
    const parts = (unfinished + text).split('\n')
    unfinished = parts.pop() ?? ''
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
