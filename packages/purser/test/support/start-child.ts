import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface Child {
  readonly process: ChildProcess
  /** Complete lines of standard output so far. */
  readonly lines: string[]
  /** Resolves to the next line; rejects when the process ends before it. */
  line(): Promise<string>
  /** Writes a line to standard input. */
  send(text: string): void
  /** Resolves when the process has ended and its output is complete. */
  readonly exited: Promise<void>
}

export interface ChildOptions {
  /** Limit of the size of files in blocks of 512 or 1,024 bytes, by system; beyond it writes fail. */
  readonly fileBlocks?: number
}

/** Starts a TypeScript program as a child process. */
export function startChild(program: URL, args: readonly string[], { fileBlocks }: ChildOptions = {}): Child {
  const command = [process.execPath, '--conditions=@purser/source', fileURLToPath(program), ...args]
  const limited = fileBlocks === undefined ? [] : ['sh', '-c', `ulimit -f ${fileBlocks} && exec "$0" "$@"`]
  const [first = '', ...rest] = [...limited, ...command]
  const child = spawn(first, rest, { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines: string[] = []
  let taken = 0
  let notify = (): void => {}
  let hasExited = false
  let unfinished = ''
  child.stdout.setEncoding('utf8')
  child.stdout.on('data', (text: string) => {
    const parts = (unfinished + text).split('\n')
    unfinished = parts.pop() ?? ''
    lines.push(...parts)
    notify()
  })
  const exited = new Promise<void>((resolve) => {
    child.on('close', () => {
      hasExited = true
      notify()
      resolve()
    })
  })
  return {
    process: child,
    lines,
    exited,
    async line() {
      while (taken >= lines.length) {
        if (hasExited) throw new Error(`${program.pathname} ended without another line.`)
        await new Promise<void>((resolve) => {
          notify = resolve
        })
      }
      return lines[taken++] as string
    },
    send: (text) => child.stdin.write(`${text}\n`),
  }
}
