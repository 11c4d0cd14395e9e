/*
 * Time from the start of `purser serve` to a ready server, processor time until then, and resident memory when idle: of the
 * program that `npm start` runs, with and without compiled code in the cache, and of the sources. Interleaved. Goals: ready
 * in 1 s, 150 MB idle.
 *
 *   npm run start -- [rounds, 5]
 */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { serverFlags, serverProgram } from '../scripts/setup.mjs'

const ROOT = join(import.meta.dirname, '..')
const ROUNDS = Number(process.argv[2] ?? 5)
const SOURCES = ['--conditions=@purser/source', join(ROOT, 'packages', 'server', 'src', 'main.ts')]
const OPTIONS = ['serve', '--json', '--port', '0']
const TICK_MS = 10
const IDLE_MS = 2_000

interface Variant {
  readonly program: readonly string[]
  readonly environment: NodeJS.ProcessEnv
}

interface Start {
  readonly readyMs: number
  readonly cpuMs: number
  readonly residentMb: number
}

const directory = await mkdtemp(join(tmpdir(), 'purser-start-'))
const cache = join(directory, 'cache')
const variants: Readonly<Record<string, Variant>> = {
  'one program': { program: [serverProgram], environment: { NODE_DISABLE_COMPILE_CACHE: '1' } },
  'one program, compiled': { program: [serverProgram], environment: { NODE_COMPILE_CACHE: cache } },
  'sources, compiled': { program: SOURCES, environment: { NODE_COMPILE_CACHE: cache } },
}
for (const variant of Object.values(variants)) await start(variant)
const starts = new Map<string, Start[]>()
for (let round = 0; round < ROUNDS; round++)
  for (const [name, variant] of Object.entries(variants))
    starts.set(name, [...(starts.get(name) ?? []), await start(variant)])
await rm(directory, { recursive: true })

console.log('| | ready ms | processor ms | resident MB |\n|---|--:|--:|--:|')
for (const [name, runs] of starts) {
  const median = (value: (run: Start) => number): number =>
    Math.round(runs.map(value).sort((a, b) => a - b)[Math.floor(runs.length / 2)] ?? 0)
  console.log(
    `| ${name} | ${median((run) => run.readyMs)} | ${median((run) => run.cpuMs)} | ${median((run) => run.residentMb)} |`,
  )
}

async function start({ program, environment }: Variant): Promise<Start> {
  const { NODE_COMPILE_CACHE: _, ...inherited } = process.env
  const startedAt = performance.now()
  const child = spawn(process.execPath, [...serverFlags, ...program, ...OPTIONS], {
    cwd: await mkdtemp(join(directory, 'store-')),
    env: { ...inherited, ...environment },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [line] = await Array.fromAsync(takeFirst(child.stdout.setEncoding('utf8')))
  const { url } = JSON.parse(line ?? '{}') as { url: string }
  const response = await fetch(`${url}/readyz`)
  if (response.status !== 200) throw new Error(`/readyz answered ${response.status}.`)
  const readyMs = performance.now() - startedAt
  // Fields 14 and 15 of proc_pid_stat(5): time in user and kernel mode, in ticks.
  const stat = (await readFile(`/proc/${child.pid}/stat`, 'utf8')).split(' ')
  const cpuMs = (Number(stat[13]) + Number(stat[14])) * TICK_MS
  await sleep(IDLE_MS)
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8')
  const residentMb = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024
  child.kill('SIGTERM')
  await new Promise((resolve) => child.once('exit', resolve))
  return { readyMs, cpuMs, residentMb }
}

async function* takeFirst(chunks: AsyncIterable<string>): AsyncIterable<string> {
  let text = ''
  for await (const chunk of chunks) {
    text += chunk
    if (text.includes('\n')) {
      yield text
      return
    }
  }
}
