/*
 * Every program of this directory beside its peers, in one run: a table with method, machine and spread. The programs run one
 * after the other, and the whole series several times, so that a disturbance of the machine shows in the spread. What a
 * program prints is in `results/`, beside the table.
 *
 *   npm run all -- [--quick] [--runs 3] [--only gateway,ledger]
 *
 * `--quick` takes one run of the programs that need only seconds, about two minutes in all. PostgreSQL needs a server of yours:
 * npm run postgres -- URL.
 */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { cpus, freemem, loadavg, release, totalmem } from 'node:os'
import { delimiter, join } from 'node:path'
import { parseArgs } from 'node:util'
import { type FigureSource, PROGRAMS, type Program } from './all/programs.ts'
import { formatInteger, median } from './ledger/figures.ts'

const { values } = parseArgs({
  options: { quick: { type: 'boolean' }, runs: { type: 'string' }, only: { type: 'string' } },
})
const isQuick = values.quick === true
const runs = Number(values.runs ?? (isQuick ? 1 : 3))
const names = values.only?.split(',')
const results = join(import.meta.dirname, 'results')
mkdirSync(results, { recursive: true })

const unknown = names?.filter((name) => !PROGRAMS.some((program) => program.name === name)) ?? []
if (unknown.length > 0)
  throw new Error(`Unknown program '${unknown[0]}'. Valid: ${PROGRAMS.map(({ name }) => name).join(', ')}.`)
const selected = PROGRAMS.filter(
  ({ name, quickArgs }) => names?.includes(name) ?? (!isQuick || quickArgs !== undefined),
)
const missing = new Map(
  selected.map((program) => [program, (program.needs ?? []).filter((need) => !isInstalled(need))]),
)
const runnable = selected.filter((program) => missing.get(program)?.length === 0)

const startedAt = new Date()
const loadBefore = loadavg()[0] ?? 0
const outputs = new Map<Program, string[]>(runnable.map((program) => [program, []]))
for (let run = 1; run <= runs; run++) {
  for (const program of runnable) {
    console.error(`${run} of ${runs}: ${program.name}`)
    const output = await runProgram(program)
    writeFileSync(join(results, `${program.name}.${run}.txt`), output)
    outputs.get(program)?.push(output)
  }
}
const table = [...describeMachine(), '', ...tableOf(runnable), '', ...leftOut()].join('\n')
writeFileSync(join(results, 'table.md'), `${table}\n`)
console.log(table)

/** What a program prints. Its exit code says whether goals were met, which the table says as well. */
async function runProgram({ file, nodeOptions = [], args, quickArgs }: Program): Promise<string> {
  const words = ['--conditions=@purser/source', '--expose-gc', ...nodeOptions, join(import.meta.dirname, file)]
  const child = spawn(process.execPath, [...words, ...(isQuick ? (quickArgs ?? args) : args)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [output, errors] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (part: string) => (output += part))
  child.stderr.setEncoding('utf8').on('data', (part: string) => (errors += part))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return output === '' ? `failed with ${code}: ${errors}` : output
}

function describeMachine(): string[] {
  const [processor] = cpus()
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: import.meta.dirname, encoding: 'utf8' })
  return [
    `${startedAt.toISOString().slice(0, 10)}, commit ${commit.trim()}, ${isQuick ? 'a quick run' : `${runs} runs`} in ${Math.round((Date.now() - startedAt.getTime()) / 60_000)} min.`,
    `${cpus().length} x ${processor?.model.trim()}, ${gigabytes(totalmem())} GB (${gigabytes(freemem())} free), Linux ${release()}, Node.js ${process.versions.node}.`,
    `Load before the first run: ${loadBefore.toFixed(1)}. With a load above 1, only ratios of one row say anything.`,
  ]
}

function gigabytes(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(0)
}

function tableOf(programs: readonly Program[]): string[] {
  const rows = programs.flatMap((program) =>
    program.figures.map((figure, index) => {
      const found = (outputs.get(program) ?? []).map((output) => figure.pattern.exec(output)?.[1] ?? 'not found')
      const label = index === 0 ? `**${program.name}**: ${program.method}` : ''
      return `| ${[label, figure.title, ...formatFigure(figure, found), figure.goal ?? ''].join(' | ')} |`
    }),
  )
  return ['| program and method | figure | median | spread | goal |', '|---|---|--:|--:|--:|', ...rows]
}

/** Median and spread of numbers; of words the one that was found, or all. */
function formatFigure({ unit }: FigureSource, found: readonly string[]): [median: string, spread: string] {
  const numbers = found.map((text) => Number(/^-?[\d,.]+/.exec(text)?.[0].replaceAll(',', '') ?? Number.NaN))
  if (numbers.some(Number.isNaN)) return [[...new Set(found)].join(' / '), '']
  const suffix = unit ?? found[0]?.replace(/^-?[\d,.]+\s*/, '') ?? ''
  const write = (value: number): string => (Number.isInteger(value) ? formatInteger(value) : String(value))
  const spread = found.length === 1 ? 'one run' : `${write(Math.min(...numbers))} to ${write(Math.max(...numbers))}`
  return [`${write(median(numbers))} ${suffix}`.trim(), spread]
}

function leftOut(): string[] {
  const incomplete = selected.flatMap((program) => {
    const needs = missing.get(program) ?? []
    return needs.length === 0 ? [] : [`${program.name} (needs ${needs.join(', ')})`]
  })
  const slow = PROGRAMS.filter((program) => !selected.includes(program)).map(({ name }) => name)
  return [
    ...(incomplete.length === 0 ? [] : [`Not run: ${incomplete.join(', ')}.`]),
    ...(slow.length === 0 ? [] : [`Left out: ${slow.join(', ')}.`]),
  ]
}

function isInstalled(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)))
}
